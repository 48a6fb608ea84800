"""Regions: a photo's score is its own, a model file gives it back, and a small scratch in a large photo is found."""

import dataclasses
import tracemalloc

import numpy as np
import pytest
import torch
from PIL import Image

import ganad
from ganad import KDE, AutoEncoder, Ensemble, InputError, NearestNeighbor, NotSupported, PCAResidual
from ganad.data.photos import Photos
from ganad.errors import ModelFileError, UntrustedFit
from ganad.export import export_onnx
from ganad.metrics import auroc
from ganad.photos import Backbone, Regions, Tiles
from ganad.photos.found import to_scale
from ganad.photos.pool import pooled, pooled_tensor

from .samples import plates, scratched, weights

QUIET = dict(random_state=0, device="cpu", threads=1, verbose=0)
TILES = Tiles(32, 16)


def small(view=TILES, **settings) -> Regions:
    return Regions(PCAResidual(n_components=5, verbose=0), view, **QUIET | dict(max_regions=200) | settings)


@pytest.fixture(params=["tiles", "backbone"])
def view(request, tmp_path):
    return TILES if request.param == "tiles" else Backbone("resnet18", layers=(1, 2), weights=weights(tmp_path))


@pytest.mark.parametrize(
    "wrong",
    [
        dict(device="nowhere"),
        dict(part="nothing.png"),
        dict(part="black.png"),
        dict(view=Backbone("resnet18", weights="nothing.pth")),
    ],
    ids=str,
)
def test_a_refused_fit_leaves_the_earlier_one_usable(tmp_path, monkeypatch, wrong):
    monkeypatch.chdir(tmp_path)
    Image.fromarray(np.zeros((60, 60), np.uint8)).save("black.png")
    photos = plates(4)
    fitted = small().fit(photos)
    before, right = fitted.anomaly_score(photos).tolist(), {name: getattr(fitted, name) for name in wrong}
    with pytest.raises(InputError):
        fitted.set_params(**wrong).fit(photos)
    assert fitted.set_params(**right).anomaly_score(photos).tolist() == before


def test_the_same_seed_gives_the_same_scores_and_another_seed_others(view):
    photos = plates(6)
    first, again = (small(view).fit(photos).anomaly_score(photos) for _ in range(2))
    assert first.tolist() == again.tolist()
    other = small(view, random_state=1, max_regions=20).fit(photos).anomaly_score(photos)
    assert first.tolist() != other.tolist()


def test_a_model_file_gives_the_same_scores_threshold_and_p_values(view, tmp_path):
    photos = plates(30)
    fitted = small(view).fit(photos, hold_out=0.5, false_alarm_rate=0.1)
    fitted.remember_source({"kind": "photos", "mode": "L"})
    fitted.save(tmp_path / "m.ganad")
    loaded = ganad.load(tmp_path / "m.ganad", device="cpu")
    assert loaded.anomaly_score(photos).tolist() == fitted.anomaly_score(photos).tolist()
    assert loaded.p_values(photos).tolist() == fitted.p_values(photos).tolist()
    assert loaded.threshold_ == fitted.threshold_ and loaded.source_ == fitted.source_
    assert loaded.view == view and loaded.history_ == fitted.history_


def test_calibration_is_of_photos_that_were_not_learnt():
    photos = plates(40)
    fitted = small().fit(photos, hold_out=0.5, false_alarm_rate=0.05)
    assert len(fitted.calibration_) == 20
    new = plates(200, seed=1)
    assert (fitted.predict(new) == -1).mean() < 0.15
    with pytest.raises(InputError, match="hold_out"):
        small().fit(photos, false_alarm_rate=0.05)


def test_a_scratch_of_twenty_pixels_is_found_and_located():
    sides = (250, 400)
    fitted = Regions(PCAResidual(n_components=20, verbose=0), TILES, pool="max", max_regions=1500, **QUIET)
    fitted.fit(plates(20, sides=sides))
    good = plates(12, seed=1, sides=sides)
    bad, masks = zip(*(scratched(photo, i) for i, photo in enumerate(plates(12, seed=2, sides=sides))))
    scores = np.r_[fitted.anomaly_score(good), fitted.anomaly_score(list(bad))]
    assert auroc(np.repeat([0, 1], 12), scores) > 0.95
    near = 0
    for heat, mask in zip(fitted.explain(list(bad)), masks):
        assert heat.shape == mask.shape
        peak = np.array(np.unravel_index(heat.argmax(), heat.shape))
        near += np.abs(np.argwhere(mask) - peak).max(1).min() <= TILES.size // 2
    assert near >= 10


def test_a_network_learns_on_and_tells_of_its_epochs(tmp_path):
    photos, seen = plates(6), []
    inner = AutoEncoder(epochs=2, batch_size=16, verbose=0)
    fitted = Regions(inner, Tiles(16, 16), max_regions=64, **QUIET)
    fitted.fit(photos, checkpoint=tmp_path / "c", on_epoch=lambda model: seen.append(len(model.history_)))
    assert seen == [1, 2] == list(range(1, len(fitted.history_) + 1))
    resumed = Regions(inner, Tiles(16, 16), max_regions=64, **QUIET)
    resumed.fit(photos, checkpoint=tmp_path / "c", resume=True)
    assert resumed.anomaly_score(photos).tolist() == fitted.anomaly_score(photos).tolist()


def test_the_regions_that_are_learnt_are_as_many_as_asked_for(view):
    for photos, most in ((plates(4), 50), (plates(30), 7)):
        fitted = Regions(NearestNeighbor(verbose=0), view, max_regions=most, **QUIET).fit(photos)
        assert 0 < len(fitted.inner_.samples_) <= most


def test_a_core_set_lies_wider_than_a_random_share(tmp_path):
    view, photos = Backbone("resnet18", layers=(1,), weights=weights(tmp_path)), plates(5)
    kept = {
        how: Regions(NearestNeighbor(verbose=0), view, max_regions=40, choose=how, **QUIET).fit(photos).inner_.samples_
        for how in ("random", "coreset")
    }
    assert len(kept["coreset"]) == 40
    spread = {how: np.linalg.norm(z[:, None] - z[None], axis=2)[np.triu_indices(len(z), 1)] for how, z in kept.items()}
    assert spread["coreset"].min() > 2 * spread["random"].min()


def test_photos_of_one_size_may_be_one_array_and_their_maps_are_one():
    photos = np.stack([photo[:50, :60] for photo in plates(5)])
    fitted = small().fit(photos)
    assert fitted.explain(photos).shape == (5, 50, 60)
    assert fitted.anomaly_score(photos).tolist() == fitted.anomaly_score(list(photos)).tolist()
    colour = np.stack([photos] * 3, -1)
    assert small().fit(colour).anomaly_score(colour).shape == (5,)
    with pytest.raises(InputError, match="3 channels, the others have 1"):
        fitted.anomaly_score(colour)


def test_files_are_decoded_one_at_a_time(tmp_path):
    photos = plates(4)
    for i, photo in enumerate(photos):
        Image.fromarray(photo).save(tmp_path / f"{i}.png")
    lazy = Photos([tmp_path / f"{i}.png" for i in range(4)], [f"{i}.png" for i in range(4)], "L")
    fitted = small().fit(lazy)
    assert fitted.anomaly_score(lazy).tolist() == small().fit(photos).anomaly_score(photos).tolist()
    scores = fitted.region_scores(lazy)
    next(scores)
    assert len(list(scores)) == 3


class ByNumber:
    """A sequence that takes whole numbers alone, and counts what is taken."""

    def __init__(self, photos):
        self.photos, self.taken = photos, []

    def __len__(self):
        return len(self.photos)

    def __getitem__(self, index):
        if type(index) is not int:
            raise TypeError(f"not {type(index).__name__}")
        photo = self.photos[index]
        self.taken.append(index)
        return photo


def test_a_sequence_that_takes_whole_numbers_alone_is_as_good_as_a_list(tmp_path):
    photos = plates(12)
    fitted, like = (small().fit(some, hold_out=0.25) for some in (ByNumber(photos), photos))
    assert fitted.anomaly_score(ByNumber(photos)).tolist() == like.anomaly_score(photos).tolist()
    assert fitted.threshold_ == like.threshold_ and fitted.self_test_ == like.self_test_
    ganad.report(fitted, ByNumber(photos), tmp_path / "page.html")


@pytest.mark.parametrize("cells", [None, 2])
def test_a_photo_is_read_once_for_all_that_is_said_of_it(tmp_path, cells):
    view = TILES if cells is None else Backbone("resnet18", layers=(1, 2), weights=weights(tmp_path), cells=cells)
    photos = ByNumber(plates(4))
    fitted = small(view).fit(photos.photos)
    findings = list(fitted.inspect(photos))
    assert photos.taken == [0, 1, 2, 3] and [f.heat.shape for f in findings] == [p.shape for p in photos.photos]


def test_a_report_of_large_photos_keeps_none_of_their_maps(tmp_path):
    fitted, peaks, side = small(Tiles(64, 64)).fit(plates(4)), [], 1000
    for n in (2, 12):
        photos = plates(n, sides=(side, side + 1))
        tracemalloc.start()
        ganad.report(fitted, photos, tmp_path / "page.html", scores=np.arange(n))
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] - peaks[0] < 10 * 4 * side**2 / 2  # half of ten more maps


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (np.zeros((4, 5), np.uint8), "one photo alone"),
        ([np.zeros((9, 9))] * 2, "float64 .* a photo is uint8"),
        ([np.zeros((9, 9, 2), np.uint8)] * 2, "must be"),
        ([np.zeros((3, 90), np.uint8)] * 2, "sides of 8 or more"),
        ([np.zeros((9, 9), np.uint8)], "needs at least 2 photos, not 1"),
        (5, "not int"),
    ],
)
def test_what_is_no_photo_is_refused_in_words(given, words):
    with pytest.raises(InputError, match=words):
        small().fit(given)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        (dict(pool="best"), "pool='best'"),
        (dict(pool="top0"), "pool='top0'"),
        (dict(view=Tiles(4, 2)), "Tiles: size=4"),
        (dict(view=Tiles(32, 40)), "stride=40"),
        (dict(view="tiles"), "neither Tiles"),
        (dict(detector=None), "needs a detector"),
        (dict(detector=Regions(PCAResidual())), "needs a detector"),
        (dict(choose="coreset"), "for the vectors of a Backbone"),
        (dict(image_size=64), "image_size=64 is the inner detector's"),
        (dict(view=Backbone("vgg", weights="x")), "name='vgg'"),
        (dict(view=Backbone("resnet18")), "needs a file of weights"),
        (dict(view=Backbone(layers=(3, 2))), "layers=\\(3, 2\\)"),
        (dict(view=Backbone(side=1)), "side=1"),
    ],
)
def test_settings_that_cannot_work_are_refused_in_words(changes, words):
    with pytest.raises(InputError, match=words):
        Regions(**dict(detector=PCAResidual()) | changes).check_settings()


@pytest.mark.parametrize(("name", "value"), [("view", Tiles(32, 8)), ("pool", "mean")])
def test_an_altered_view_or_pool_is_noticed_when_a_file_is_read(tmp_path, name, value):
    small().fit(plates(4)).save(tmp_path / "m.ganad")
    _rewritten(tmp_path / "m.ganad", name, value)
    with pytest.raises(ModelFileError, match="other scores"):
        ganad.load(tmp_path / "m.ganad", device="cpu")


def test_a_model_needs_the_backbone_it_was_fitted_with_unless_it_holds_it(tmp_path):
    view = Backbone("resnet18", layers=(1,), weights=weights(tmp_path))
    for embed in (False, True):
        small(view, embed=embed).fit(plates(4)).save(tmp_path / f"{embed}.ganad")
    (tmp_path / "resnet18.pth").write_bytes(b"another")
    assert ganad.load(tmp_path / "True.ganad", device="cpu").anomaly_score(plates(1)).shape == (1,)
    with pytest.raises(InputError, match="with SHA-256"):
        ganad.load(tmp_path / "False.ganad", device="cpu")


def _rewritten(path, name, value):
    from ganad import files

    tensors, header = files.read(path, "model")
    if name == "view":
        header["tiles"] = dataclasses.asdict(value)
    else:
        header["settings"][name] = value
    files.write(path, "model", tensors, header)


def test_what_photos_cannot_do_says_so(tmp_path):
    fitted = small().fit(plates(4))
    assert not hasattr(fitted, "reconstruct")
    with pytest.raises(NotSupported, match="by their regions"):
        fitted.map_samples(lambda x: x, plates(2))
    with pytest.raises(InputError, match="give it: --photo-size"):
        export_onnx(fitted, tmp_path / "m.onnx")


def test_pooling():
    scores = np.array([[1.0, 5.0], [3.0, 2.0]])
    assert [pooled(scores, rule) for rule in ("max", "mean", "top1", "top2", "top9")] == [5.0, 2.75, 5.0, 4.0, 2.75]


def test_contamination_is_a_share_of_photos_that_were_not_learnt(monkeypatch):
    learnt, fit = [], NearestNeighbor.fit
    monkeypatch.setattr(NearestNeighbor, "fit", lambda self, x, **given: learnt.append(0) or fit(self, x, **given))
    photos, new = plates(40), plates(100, seed=1)
    settings = dict(max_regions=2000, contamination=0.05, **QUIET)
    by_default, by_heart = (
        Regions(NearestNeighbor(k=1, verbose=0), TILES, threshold_fits=fits, **settings).fit(photos)
        for fits in (None, 0)
    )
    assert len(learnt) == 1 + 2 + 1, "of 40 photos 8 are left out, twice"
    assert by_default.anomaly_score(new).tolist() == by_heart.anomaly_score(new).tolist(), "only thresholds change"
    flagged = [np.mean(model.predict(new) == -1) for model in (by_default, by_heart)]
    with_region = [np.mean([bool(f.regions) for f in model.inspect(new)]) for model in (by_default, by_heart)]
    assert flagged[0] < 0.15 < 0.5 < flagged[1] and with_region[0] < 0.15 < with_region[1]


def test_the_inner_detector_says_whether_parts_of_the_photos_are_alike_and_chooses_once(monkeypatch):
    tried, choose = [], KDE.choose
    monkeypatch.setattr(KDE, "choose", lambda self, z: tried.append(self.bandwidths) or choose(self, z))
    detector = Regions(KDE(n_components=30, verbose=0), Tiles(70, 70), max_regions=40, **QUIET).fit(plates(40))
    assert len(tried) == 4 and [len(each) for each in tried] == [len(KDE().bandwidths), 1, 1, 1]
    assert detector.judges_new(40)
    monkeypatch.setattr(KDE, "part_is_alike", lambda self, n: n > 40)
    assert not detector.judges_new(40) and detector.fit(plates(40)).threshold_ and len(tried) == 5
    fits, fit = [], NearestNeighbor.learn
    monkeypatch.setattr(NearestNeighbor, "learn", lambda self, z: fits.append(len(z)) or fit(self, z))
    members = Ensemble(members=[NearestNeighbor(verbose=0), PCAResidual(verbose=0)], verbose=0)
    Regions(members, TILES, max_regions=50, threshold_fits=0, **QUIET).fit(plates(20))
    assert len(fits) == 2, "for the scale and for good; its own threshold is not used"


def test_normal_photos_with_a_region_are_as_few_as_promised():
    photos = plates(60)
    fitted = small().fit(photos, hold_out=0.5, false_alarm_rate=0.1)
    held_out = fitted._measured(plates(30, seed=5))[1]
    assert np.isfinite(fitted.map_threshold_) and (held_out > fitted.map_threshold_).mean() < 0.35
    new = plates(100, seed=1)
    with_region = [bool(finding.regions) for finding in fitted.inspect(new)]
    assert np.mean(with_region) < 0.25
    bad, mask = scratched(new[0], 0)
    assert len(fitted.regions(np.where(mask, 255, bad).astype(np.uint8))) >= len(fitted.regions(new[0]))


def test_a_model_file_keeps_the_threshold_of_maps_and_an_older_one_has_none(tmp_path):
    from ganad import files

    fitted = small().fit(plates(6))
    fitted.save(tmp_path / "m.ganad")
    assert ganad.load(tmp_path / "m.ganad", device="cpu").map_threshold_ == fitted.map_threshold_
    tensors, header = files.read(tmp_path / "m.ganad", "model")
    del header["state"]["map_threshold_"]
    for name in ("crop", "part", "augment"):
        del header["settings"][name]
    header["versions"]["ganad"] = "0.2.0"
    files.write(tmp_path / "old.ganad", "model", tensors, header)
    old = ganad.load(tmp_path / "old.ganad", device="cpu")
    assert old.anomaly_score(plates(2)).tolist() == fitted.anomaly_score(plates(2)).tolist()
    with pytest.raises(NotSupported, match="no threshold for maps"):
        old.regions(plates(1)[0])
    assert next(old.inspect(plates(1))).regions == []
    assert old.calibrate(plates(9, seed=4), false_alarm_rate=0.2).regions(plates(1)[0]) is not None


def test_neighbours_of_regions_are_not_doubted_for_being_their_own(recwarn):
    small_nearest = Regions(NearestNeighbor(k=1, verbose=0), Tiles(32, 16), max_regions=200, **QUIET)
    small_nearest.fit(plates(12))
    assert not [w for w in recwarn if issubclass(w.category, UntrustedFit)]
    with pytest.warns(UntrustedFit, match="6 training samples"):  # of which the threshold is: it flags any new photo
        small_nearest.fit(plates(6))


def test_the_pool_of_ranks_weighs_one_region_as_the_next_two():
    scores = np.array([[1.0, np.nan], [4.0, 2.0]])
    assert pooled(scores, "ranked") == pytest.approx((4 + 2 / 2 + 1 / 3) / (1 + 1 / 2 + 1 / 3))
    assert float(pooled_tensor(torch.tensor([1.0, 4.0, 2.0]), "ranked")) == pytest.approx(pooled(scores, "ranked"))
    small, large = np.r_[np.ones(99), 9.0], np.r_[np.ones(50), np.full(50, 2.0)]
    assert min(pooled(x, "ranked") for x in (small, large)) > 1.8 * pooled(np.ones(100), "ranked")


def test_maps_are_drawn_on_the_scale_of_their_threshold():
    calm, found = np.full((2, 9, 9), 5.0)
    calm[2, 2], found[2, 2] = 8.0, 25.0
    assert to_scale(calm, 10.0).max() == pytest.approx(0.3)  # 3 of twice 5 above the median
    assert to_scale(calm, 8.0).max() == pytest.approx(0.5)
    assert to_scale(found, 10.0).max() == pytest.approx(1.0)
    for without in (float("inf"), 4.0):  # a threshold below the median says nothing
        assert to_scale(calm, without).max() == pytest.approx(1.0)
    assert not to_scale(np.full((4, 4), 2.0), 2.0).any()
