"""Network in network (Lin 2014), for images of 32 px."""

from torch import Tensor, nn

from dnnlab.networks.blocks import Conv2d, Style, scaled


class NetworkInNetwork(nn.Module):
    """Three stages of a convolution and two 1×1 ones; the last gives a map for each class, and its mean the logit.

    Between the stages is a 3×3 pool at stride 2, of the maximum and then of the mean, and ``dropout``.
    """

    def __init__(
        self,
        *,
        num_classes: int = 10,
        in_chans: int = 3,
        act: str = "relu",
        norm: str = "none",
        order: str = "norm-act",
        width: float = 1.0,
        dropout: float = 0.5,
    ) -> None:
        super().__init__()
        style = Style(act, norm, order=order)
        narrow, middle, wide = (scaled(c, width) for c in (96, 160, 192))
        # The pools count a window that begins inside and ends outside the image, as Caffe does: 32, 16, 8 px.
        self.features = nn.Sequential(
            *(style.layer(in_chans, wide, 5), style.layer(wide, middle, 1), style.layer(middle, narrow, 1)),
            *(nn.MaxPool2d(3, 2, ceil_mode=True), nn.Dropout(dropout)),
            *(style.layer(narrow, wide, 5), style.layer(wide, wide, 1), style.layer(wide, wide, 1)),
            *(nn.AvgPool2d(3, 2, ceil_mode=True), nn.Dropout(dropout)),
            *(style.layer(wide, wide, 3), style.layer(wide, wide, 1)),
        )
        self.classifier = Conv2d(wide, num_classes, 1)

    def forward(self, x: Tensor) -> Tensor:
        return self.classifier(self.features(x)).mean((2, 3))
