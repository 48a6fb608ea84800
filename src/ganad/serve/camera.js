// A camera, where the browser has one to give: its live picture, and photos that are scored like dropped files.
"use strict";
const WISHES = { audio: false, video: { facingMode: "environment", width: { ideal: 1920 }, height: { ideal: 1080 } } };
const WHY = {
  NotAllowedError: "This page may not use the camera: allow it in the browser's settings for this page, then try again.",
  NotFoundError: "No camera was found: connect one, then try again.",
};
const BUSY = "The camera gives no picture: close other programs that use it, then try again.";
let stream = null, asked = 0, photos = 0;

const release = (one) => one.getTracks().forEach((track) => track.stop());

async function startCamera() {
  const mine = ++asked;
  let given;
  at("status").textContent = "The browser may ask whether this page may use the camera.";
  try {
    given = await navigator.mediaDevices.getUserMedia(WISHES);
    if (mine !== asked) return release(given);  // asked again, or left, in the meantime
    stream = given;
    at("live").srcObject = given;
    given.getTracks().forEach((track) => track.addEventListener("ended", () => stopCamera("The camera was taken away.")));
    at("camera").hidden = false;
    at("use").hidden = true;
    await at("live").play();
    if (mine !== asked) return;
    at("status").textContent = "The camera is on.";
    at("snap").focus();
  } catch (error) {
    if (mine === asked) stopCamera(WHY[error.name] || BUSY);
  }
}

function stopCamera(words) {
  asked += 1;
  if (stream) release(stream);
  stream = at("live").srcObject = null;
  at("camera").hidden = true;
  at("use").hidden = false;
  at("status").textContent = words;
}

async function snap() {
  const canvas = element("canvas"), live = at("live");
  canvas.width = live.videoWidth;
  canvas.height = live.videoHeight;
  if (!canvas.width) return;  // before the first frame
  canvas.getContext("2d").drawImage(live, 0, 0);
  const blob = await new Promise((done) => canvas.toBlob(done, "image/png"));
  take([new File([blob], `photo ${++photos}.png`, { type: "image/png" })]);
}

/** Offer the camera; it goes off when the page is hidden or left. */
function offerCamera() {
  if (!navigator.mediaDevices?.getUserMedia) return;
  const off = () => { if (stream) stopCamera("The camera is off, because the page was out of sight."); else asked += 1; };
  at("use").hidden = false;
  at("use").addEventListener("click", startCamera);
  at("snap").addEventListener("click", snap);
  at("stop").addEventListener("click", () => { stopCamera("The camera is off."); at("use").focus(); });
  document.addEventListener("visibilitychange", () => { if (document.hidden) off(); });
  window.addEventListener("pagehide", off);
}
