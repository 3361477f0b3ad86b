"""Indirect effects of x on y through mediators."""

from .mediate import mediate
from .product_normal import product_normal_interval

__all__ = ["mediate", "product_normal_interval"]
