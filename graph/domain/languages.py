"""The languages in which the model is asked and reports are written."""

from typing import Literal

Language = Literal["en", "zh-CN"]
