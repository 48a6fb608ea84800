let scrolledAt = -Infinity;  // the time of the latest turn of the wheel that scrolled the page
document.addEventListener("wheel", e => { if (!e.defaultPrevented) scrolledAt = e.timeStamp; }, { passive: true });

/** Pictures that zoom together: by wheel, pinch and drag, by the keys + - 0 and the arrows, or by buttons. */
function lens(frames) {
  const MOST = 12, held = new Map();
  let scale = 1, x = 0, y = 0;  // the shares of the pictures that lie left of and above the frames
  const within = v => Math.min(Math.max(v, 0), 1 - 1 / scale);
  function draw() {
    x = within(x); y = within(y);
    for (const frame of frames) {
      frame.firstElementChild.style.transform = `scale(${scale}) translate(${-100 * x}%, ${-100 * y}%)`;
      frame.classList.toggle("zoomed", scale > 1);
      frame.dataset.scale = scale.toFixed(2);
    }
  }
  function zoom(factor, px = .5, py = .5) {
    const before = scale;
    scale = Math.min(MOST, Math.max(1, scale * factor));
    x += px / before - px / scale; y += py / before - py / scale;
    draw();
  }
  function move(dx, dy) { x -= dx / scale; y -= dy / scale; draw(); }
  function whole() { scale = 1; draw(); }
  const KEYS = { "+": () => zoom(1.5), "=": () => zoom(1.5), "-": () => zoom(1 / 1.5), 0: whole };
  const ARROWS = { ArrowLeft: [.15, 0], ArrowRight: [-.15, 0], ArrowUp: [0, .15], ArrowDown: [0, -.15] };
  for (const frame of frames) {
    const share = e => { const box = frame.getBoundingClientRect(); return [(e.clientX - box.left) / box.width, (e.clientY - box.top) / box.height]; };
    frame.addEventListener("wheel", e => {
      // there is nothing to zoom out of, or the page is being scrolled and the picture only passes below the pointer
      if (scale === 1 && !e.ctrlKey && (e.deltaY > 0 || e.timeStamp - scrolledAt < 300)) return;
      e.preventDefault();
      zoom(Math.exp(-.002 * e.deltaY), ...share(e));
    }, { passive: false });
    frame.addEventListener("keydown", e => {
      if (e.ctrlKey || e.metaKey || e.altKey) return;
      if (KEYS[e.key]) KEYS[e.key]();
      else if (ARROWS[e.key] && scale > 1) move(...ARROWS[e.key]);
      else return;
      e.preventDefault(); e.stopPropagation();  // at whole size the arrows go to the next sample
    });
    frame.addEventListener("pointerdown", e => { held.set(e.pointerId, share(e)); if (scale > 1) frame.setPointerCapture(e.pointerId); });
    frame.addEventListener("pointermove", e => {
      if (e.pointerType === "mouse" && !e.buttons) held.delete(e.pointerId);  // let go outside of the picture
      if (!held.has(e.pointerId)) return;
      const [px, py] = share(e), [qx, qy] = held.get(e.pointerId), other = [...held].find(([id]) => id !== e.pointerId);
      held.set(e.pointerId, [px, py]);
      if (!other) return move(px - qx, py - qy);
      const [ox, oy] = other[1], far = Math.hypot(px - ox, py - oy), was = Math.hypot(qx - ox, qy - oy);
      if (was > 0) zoom(far / was, (px + ox) / 2, (py + oy) / 2);
    });
    for (const end of ["pointerup", "pointercancel"]) frame.addEventListener(end, e => held.delete(e.pointerId));
    frame.addEventListener("dragstart", e => e.preventDefault());
  }
  draw();
  return { zoom, whole };
}
