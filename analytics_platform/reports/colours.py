"""The colours of reports and dashboard: those of Okabe and Ito, told apart by colour-blind readers too."""

from __future__ import annotations

BLUE, GREEN, VERMILLION, ORANGE, SKY = "#0072B2", "#009E73", "#D55E00", "#E69F00", "#56B4E9"
COLOURS = (BLUE, GREEN, VERMILLION, ORANGE, SKY)
INK, MUTED, FAINT, LINE, PAGE = "#1f2933", "#667085", "#b6bfcc", "#e4e7ec", "#f6f7f9"
