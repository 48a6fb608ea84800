"""What every detector with an encoder and a generator offers by them: codes, reconstructions and drawings."""

from __future__ import annotations

from torch import Tensor, nn

from ..detector import Detector


class WithCodec(Detector):
    """A detector whose generator turns the encoder's code of a sample back into a sample."""

    def codec(self) -> tuple[nn.Module, nn.Module]:
        """Encoder and generator; override it where they are not the players of these names."""
        return self.nets_["encoder"], self.nets_["generator"]

    def encode_batch(self, x: Tensor) -> Tensor:
        encoder, _ = self.codec()
        return encoder(x)

    def reconstruct_batch(self, x: Tensor) -> Tensor:
        encoder, generator = self.codec()
        return generator(encoder(x))

    def generator(self) -> nn.Module:
        return self.codec()[1]
