"""Maps from an ONNX file that anybody may have written: looked at before any of it runs, then run by ONNX Runtime.

An ONNX file says neither how pixels are scaled nor at which strides its maps lie. Pixels are scaled as torchvision's
networks want them, and the strides are measured once, on a made-up picture.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from .. import memory
from ..display import shown
from ..errors import InputError, MissingExtra
from .backbones import IMAGENET, WINDOW
from .maps import Maps

_MOST_BYTES = 2**30
_MOST_NODES = 20_000  # ONNX Runtime's preparation grows with them
_SIDE = 448  # of the picture on which strides are measured; a multiple of the usual ones, patches of 14 included
_UNBOUNDED = {"Loop", "Scan", "SequenceMap"}  # they may run for ever
_LARGE = 4096  # bytes; what says a shape is smaller


class Picture(NamedTuple):
    """What a file takes: one picture."""

    name: str
    channels: int  #: 1 or 3
    size: tuple[int, int] | None  #: height and width; None: any


class OnnxMaps(Maps):
    """Maps photos ``(1, 3, H, W)`` from 0 to 1 to outputs of an ONNX file, ``(1, C, H / stride, W / stride)``.

    An output ``(1, d)``, or of one position whatever the picture, is a vector of the whole, ``(1, d, 1, 1)``. The
    file's bytes are a buffer, so they are saved, copied and moved as weights are.
    """

    onnx: Tensor

    def __init__(self, data: bytes, layers: Sequence[int] | None, whole: bool, where: str):
        super().__init__()
        self._where, self._session, self._threads = where, None, 0
        self.picture = _looked_at(data, where)
        self.register_buffer("onnx", torch.frombuffer(bytearray(data), dtype=torch.uint8))
        self.names, self.strides = self._measured(layers, whole)
        known = [stride for stride in self.strides if stride]
        self.size = self.picture.size
        #: a vector of the whole speaks for a window of a large photo
        self.stride = min(known, default=max(self.size or (WINDOW,)))
        self.step = math.lcm(*known) if known else 1
        self.multiple = self.step if self.size is None and not self._rounds_up() else 1

    def forward(self, x: Tensor) -> list[Tensor]:
        x = self.scaled(x)
        maps = self._run(self.names, x.cpu().numpy())
        for name, stride, found in zip(self.names, self.strides, maps):
            wanted = tuple(-(-side // stride) for side in x.shape[2:]) if stride else (1, 1)
            if found.shape[2:] != wanted:
                raise InputError(
                    f"{self._where}: its output {shown(name)!r} has {_by(found.shape[2:])} positions for a picture of "
                    f"{_by(x.shape[2:])}, not {_by(wanted)}; export it for one size of pictures"
                )
        return [torch.from_numpy(found).to(x.device) for found in maps]

    def scaled(self, x: Tensor) -> Tensor:
        """Photos from 0 to 1 as the file takes them."""
        mean, sd = (torch.tensor(values, dtype=x.dtype, device=x.device).view(3, 1, 1) for values in IMAGENET)
        x = (x - mean) / sd
        return x.mean(1, keepdim=True) if self.picture.channels == 1 else x

    def __getstate__(self) -> dict[str, Any]:
        return self.__dict__ | {"_session": None}  # a session cannot be copied, and is opened again where it is needed

    def _run(self, names: Sequence[str], x: np.ndarray) -> list[np.ndarray]:
        """Outputs ``(1, C, h, w)`` for a scaled picture."""
        return [values if values.ndim == 4 else values[:, :, None, None] for values in self.run_raw(names, x)]

    def run_raw(self, names: Sequence[str], x: np.ndarray) -> list[np.ndarray]:
        """Outputs ``(1, C, h, w)`` or ``(1, d)`` for a scaled picture; InputError for others, and if not finite."""
        session = self._opened()
        try:
            found: list[np.ndarray] = session.run(list(names), {self.picture.name: x})
        except Exception as error:  # its kinds of error share no base class
            raise InputError(
                f"{self._where}: it cannot be run on a picture of {_by(x.shape[2:])} ({_reason(error)}); export it anew"
            ) from error
        for name, values in zip(names, found):
            if values.shape[:1] != (1,) or values.ndim not in (2, 4) or 0 in values.shape:
                raise InputError(
                    f"{self._where}: its output {shown(name)!r} has the shape {values.shape}; a map is (1, C, h, w), a "
                    f"vector (1, d)"
                )
            if not np.isfinite(values).all():
                raise InputError(f"{self._where}: its output {shown(name)!r} is not finite; use another copy")
        return found

    def _opened(self) -> Any:
        """The session, with as many threads as torch has here."""
        if self._session is None or self._threads != torch.get_num_threads():
            self._threads = torch.get_num_threads()
            self._session = _session(self.onnx.cpu().numpy().tobytes(), self._threads, self._where)
        return self._session

    def _measured(self, layers: Sequence[int] | None, whole: bool) -> tuple[list[str], list[int]]:
        """Names of the chosen outputs and their strides; 0 for a vector of the whole."""
        outputs = self._opened().get_outputs()
        if layers is not None and max(layers) > len(outputs):
            raise InputError(f"{self._where}: layers={tuple(layers)}, but it has {len(outputs)} outputs")
        numbers = range(1, len(outputs) + 1) if layers is None else layers
        usable = [n for n in numbers if outputs[n - 1].type == "tensor(float)" and _may_be_map(outputs[n - 1].shape)]
        if not usable or (layers is not None and len(usable) < len(numbers)):
            wrong = next(iter(set(numbers) - set(usable)), 1)
            raise InputError(
                f"{self._where}: its output {wrong} is no float32 map (1, C, h, w) and no vector (1, d); choose "
                f"outputs by layers=, or export it with maps"
            )
        names = [outputs[n - 1].name for n in usable]
        size = self.picture.size or (_SIDE, _SIDE)
        strides = [
            self._stride(name, found.shape, size) for name, found in zip(names, self._run(names, self.made(size)))
        ]
        if whole:
            return names, strides
        maps = [(name, stride) for name, stride in zip(names, strides) if stride]
        if not maps or (layers is not None and len(maps) < len(layers)):
            raise InputError(
                f"{self._where}: its output {usable[strides.index(0)]} is one vector a picture, not a map; give "
                f"regions=False (--whole) or other layers"
            )
        return [name for name, _ in maps], [stride for _, stride in maps]

    def _stride(self, name: str, found: tuple[int, ...], size: tuple[int, int]) -> int:
        if found[2:] == (1, 1):
            return 0
        stride = -(-size[0] // found[2])
        if tuple(-(-side // stride) for side in size) != found[2:]:
            raise InputError(
                f"{self._where}: its output {shown(name)!r} has {_by(found[2:])} positions for a picture of {_by(size)}"
                f"; they must lie a whole number of pixels apart, as with padded convolutions"
            )
        return stride

    def _rounds_up(self) -> bool:
        """Whether a picture may have any size, because maps have their sides rounded up."""
        try:
            maps = self._run(self.names, self.made((_SIDE + 1, _SIDE + 1)))
        except InputError:
            return False
        return all(
            found.shape[2:] == (-(-(_SIDE + 1) // stride),) * 2 if stride else found.shape[2:] == (1, 1)
            for found, stride in zip(maps, self.strides)
        )

    def made(self, size: tuple[int, int]) -> np.ndarray:
        """A made-up picture, scaled."""
        shape = (1, self.picture.channels, *size)
        return np.random.default_rng(0).standard_normal(shape, np.float32)


class Placeholder(Maps):
    """One operator for the maps of a file, with which torch can trace what is around it; ``replaced`` puts them in.

    size: height and width of the only picture that the graph takes.
    """

    DOMAIN, NAME = "ganad", "Backbone"

    def __init__(self, maps: OnnxMaps, size: tuple[int, int]):
        super().__init__()
        self.of = (maps,)  # a tuple hides it from torch, which would put the file's bytes into the graph as well
        self.shapes = [found.shape for found in maps.run_raw(maps.names, maps.made(size))]
        self.stride, self.step, self.multiple, self.size = maps.stride, maps.step, maps.multiple, maps.size

    def forward(self, x: Tensor) -> list[Tensor]:
        found = torch.onnx.ops.symbolic_multi_out(
            f"{self.DOMAIN}::{self.NAME}",
            [self.of[0].scaled(x)],
            dtypes=[torch.float32] * len(self.shapes),
            shapes=self.shapes,
            version=1,
        )
        return [values if values.ndim == 4 else values[:, :, None, None] for values in found]

    def replaced(self, model: Any) -> Any:
        """The ONNX model with the file's operators in place of this one.

        Raises InputError for operators that ONNX cannot bring to the model's version.
        """
        import onnx.inliner

        model.functions.append(self._function())
        if not any(opset.domain == self.DOMAIN for opset in model.opset_import):
            model.opset_import.append(onnx.helper.make_opsetid(self.DOMAIN, 1))
        try:
            whole = onnx.inliner.inline_local_functions(model, convert_version=True)
            onnx.checker.check_model(whole)  # some operators pass that this version does not have
        except Exception as error:  # its kinds of error share no base class
            version = next(opset.version for opset in model.opset_import if opset.domain == "")
            raise InputError(
                f"the backbone's operators cannot be brought to opset {version} of the graph around them "
                f"({_reason(error)}); export the backbone anew with other operators"
            ) from error
        return whole

    def _function(self) -> Any:
        """The file as a function, which has constants for its weights."""
        import onnx

        maps = self.of[0]
        model = onnx.ModelProto.FromString(maps.onnx.cpu().numpy().tobytes())
        nodes, wanted = _needed(model.graph, maps.names)
        weights = [(w.name, dict(value=w)) for w in model.graph.initializer]
        weights += [(w.values.name, dict(sparse_value=w)) for w in model.graph.sparse_initializer]
        constants = [onnx.helper.make_node("Constant", [], [name], **w) for name, w in weights if name in wanted]
        return onnx.helper.make_function(
            self.DOMAIN,
            self.NAME,
            [maps.picture.name],
            maps.names,
            [*constants, *nodes],
            list(model.opset_import),
        )


def _needed(graph: Any, outputs: Sequence[str]) -> tuple[list[Any], set[str]]:
    """The nodes that these outputs need, in order, and the names of all that they read."""
    nodes, wanted = [], set(outputs)
    for node in reversed(graph.node):
        if not wanted.isdisjoint(node.output):
            nodes.append(node)
            wanted.update(_read_by(node))
    return nodes[::-1], wanted


def _read_by(node: Any) -> Iterator[str]:
    """The names that a node and the graphs within it read."""
    yield from node.input
    for attribute in node.attribute:
        for inner in (attribute.g, *attribute.graphs):
            yield from (output.name for output in inner.output)
            for part in inner.node:
                yield from _read_by(part)


def read(path: str | Path, layers: Sequence[int] | None, whole: bool) -> OnnxMaps:
    """The maps of an ONNX file.

    layers: numbers of its outputs from 1, None for all that can be used; whole: whether vectors of the whole picture
    can be used. Raises InputError for a file that is missing or damaged, and for one that is no such network;
    MissingExtra without the extra ``onnx``.
    """
    path = Path(path)
    if not path.is_file():
        raise InputError(f"{path}: no such file; give an ONNX file with one picture as its input")
    if (size := path.stat().st_size) > _MOST_BYTES:
        raise InputError(f"{path}: {size:,} bytes, more than the {_MOST_BYTES:,} allowed; give a smaller network")
    return OnnxMaps(path.read_bytes(), layers, whole, str(path))


def of_state(state: dict[str, Tensor], layers: Sequence[int] | None, whole: bool, where: str) -> OnnxMaps:
    """The maps whose ``state_dict`` is in the file ``where``; see ``read``."""
    data = state.get("onnx")
    if data is None or len(state) > 1 or data.dtype != torch.uint8 or data.ndim != 1 or not len(data):
        raise InputError(f"{where}: its backbone is not an ONNX file; use another copy")
    return OnnxMaps(data.numpy().tobytes(), layers, whole, where)


# -- before anything runs -----------------------------------------------------------------------------------


def _looked_at(data: bytes, where: str) -> Picture:
    """The one picture that a file takes; InputError for what is not to be run, before any of it is."""
    try:
        import onnx
        import onnxruntime  # noqa: F401
    except ImportError as error:
        raise MissingExtra("a backbone from an ONNX file needs the extra onnx: pip install 'ganad[onnx]'") from error
    try:
        model = onnx.ModelProto.FromString(data)
    except Exception as error:  # protobuf's kinds of error depend on its build
        raise InputError(f"{where}: cut short, damaged or not an ONNX file; use another copy") from error
    if not model.graph.node or any(isinstance(text, bytes) for text in _texts(model)):  # bytes: no UTF-8
        raise InputError(f"{where}: not an ONNX file, damaged, or one without operators; use another copy")
    _refuse_parts(model, where)
    picture = _picture_of(model.graph, where)
    _require_memory(onnx, model, picture, where)
    return picture


def _refuse_parts(model: Any, where: str) -> None:
    """InputError for operators of other makers, for what may never end, and for weights that lie elsewhere."""
    if model.functions:
        raise InputError(f"{where}: it brings functions of its own, which are not run; export it with them inlined")
    for count, part in enumerate(_parts(model.graph), 1):
        if count > _MOST_NODES:
            raise InputError(f"{where}: more than {_MOST_NODES:,} operators and weights; give a smaller network")
        if hasattr(part, "op_type"):
            if part.domain not in ("", "ai.onnx"):
                raise InputError(
                    f"{where}: its operator {shown(part.domain)}.{shown(part.op_type)} is not one of ONNX's own; "
                    f"export it without"
                )
            if part.op_type in _UNBOUNDED:
                raise InputError(f"{where}: its operator {part.op_type} may run for ever; export it without loops")
        elif part.data_location == part.EXTERNAL or part.external_data:
            raise InputError(f"{where}: it has weights in other files, which are not read; save it as one file")


def _texts(model: Any) -> Iterator[str | bytes]:
    """The texts of a model that ONNX Runtime reads out, its errors included."""
    yield from (model.producer_name, model.domain, model.doc_string, model.graph.name, model.graph.doc_string)
    for entry in model.metadata_props:
        yield from (entry.key, entry.value)
    yield from (opset.domain for opset in model.opset_import)
    yield from (tensor.name for tensor in model.graph.initializer)
    for value in (*model.graph.input, *model.graph.output):
        yield value.name
        yield from (dim.dim_param for dim in value.type.tensor_type.shape.dim)
    for node in model.graph.node:
        yield from (node.name, node.domain, node.op_type, *node.input, *node.output)
        yield from (attribute.name for attribute in node.attribute)


def _parts(graph: Any) -> Iterator[Any]:
    """All operators and tensors of a graph and of the graphs within."""
    yield from graph.initializer
    for sparse in graph.sparse_initializer:
        yield from (sparse.values, sparse.indices)
    for node in graph.node:
        yield node
        for attribute in node.attribute:
            yield from attribute.tensors
            if attribute.HasField("t"):
                yield attribute.t
            for sparse in (attribute.sparse_tensor, *attribute.sparse_tensors):
                yield from (sparse.values, sparse.indices)
            for inner in (attribute.g, *attribute.graphs):
                yield from _parts(inner)


def _picture_of(graph: Any, where: str) -> Picture:
    weights = {tensor.name for tensor in graph.initializer} | {s.values.name for s in graph.sparse_initializer}
    inputs = [given for given in graph.input if given.name not in weights]
    if len(inputs) != 1:
        raise InputError(f"{where}: it has {len(inputs)} inputs; a backbone has one, a picture")
    kind = inputs[0].type.tensor_type
    dims = [dim.dim_value if dim.HasField("dim_value") else 0 for dim in kind.shape.dim]  # 0: free
    if kind.elem_type != 1 or len(dims) != 4 or dims[0] not in (0, 1) or dims[1] not in (1, 3) or min(dims[2:]) < 0:
        raise InputError(
            f"{where}: its input is not a picture, float32 of shape (1, 3, H, W) or (1, 1, H, W); export it with one"
        )
    if (dims[2] == 0) != (dims[3] == 0):
        raise InputError(f"{where}: of height and width of its input one is fixed; fix both or none")
    return Picture(inputs[0].name, dims[1], (dims[2], dims[3]) if dims[2] else None)


def _require_memory(onnx: Any, model: Any, picture: Picture, where: str) -> None:
    """InputError where a declared tensor does not fit into memory. Takes the model's large weights away."""
    for part in _parts(model.graph):
        if not hasattr(part, "op_type") and part.ByteSize() > _LARGE:
            part.ClearField("raw_data")
            part.ClearField("float_data")
    for given in model.graph.input:
        if given.name == picture.name:
            size = picture.size or (_SIDE, _SIDE)
            for dim, value in zip(given.type.tensor_type.shape.dim, (1, picture.channels, *size)):
                dim.dim_value = value
    try:
        graph = onnx.shape_inference.infer_shapes(model, data_prop=True).graph
    except Exception as error:  # what it raises depends on its build
        raise InputError(f"{where}: its shapes contradict each other ({_reason(error)}); use another copy") from error
    largest = 0
    for value in (*graph.input, *graph.value_info, *graph.output):
        largest = max(largest, 4 * math.prod(dim.dim_value for dim in value.type.tensor_type.shape.dim))
    for part in _parts(graph):
        if not hasattr(part, "op_type"):
            largest = max(largest, math.prod(part.dims))
    memory.require(largest, f"{where}: its largest tensor", "give a smaller network")


def _session(data: bytes, threads: int, where: str) -> Any:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
    options.use_deterministic_compute = True
    options.log_severity_level = 4  # what is wrong is raised
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")  # threads that wait take no core
    try:
        return onnxruntime.InferenceSession(data, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # its kinds of error share no base class
        raise InputError(f"{where}: ONNX Runtime does not take it ({_reason(error)}); use another copy") from error


def _may_be_map(shape: Sequence[int | str | None]) -> bool:
    return len(shape) in (0, 2, 4)  # 0: not said


def _reason(error: Exception) -> str:
    return shown((str(error).strip() or type(error).__name__).splitlines()[0], 150)


def _by(sides: Sequence[int]) -> str:
    return " x ".join(map(str, sides))
