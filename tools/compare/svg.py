"""A small writer of SVG: text, lines and boxes, in colours for light and dark pages."""
from xml.sax.saxutils import escape

STYLE = """
text { font: 12px sans-serif; fill: #1f2328 } .quiet { fill: #59636e } .title { font-weight: bold;
font-size: 14px } .group { font-weight: bold } .page { fill: #fff } .grid { stroke: #d1d9e0 }
.spate { fill: #0969da } .floor { fill: #818b98 } .peer { fill: #bf8700 }
.whisker { stroke: #1f2328; stroke-width: 1.5 } .invalid { fill-opacity: .25 }
@media (prefers-color-scheme: dark) {
text { fill: #f0f6fc } .quiet { fill: #9198a1 } .page { fill: #0d1117 } .grid { stroke: #3d444d }
.spate { fill: #4493f8 } .floor { fill: #656c76 } .peer { fill: #d29922 }
.whisker { stroke: #f0f6fc } }
"""


class Svg:
    def __init__(self, width, height):
        self.width, self.height = width, height
        self.parts = []

    def text(self, x, y, words, kind="", anchor="start"):
        self.parts.append(f'<text x="{x:.1f}" y="{y:.1f}" class="{kind}" text-anchor="{anchor}">'
                          f"{escape(words)}</text>")

    def line(self, x1, y1, x2, y2, kind):
        self.parts.append(f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" '
                          f'class="{kind}"/>')

    def box(self, x, y, width, height, kind):
        self.parts.append(f'<rect x="{x:.1f}" y="{y:.1f}" width="{max(0, width):.1f}" '
                          f'height="{height:.1f}" class="{kind}"/>')

    def finish(self):
        size = f"{self.width} {self.height:.0f}"
        width, height = size.split()
        return (f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {size}" width="{width}" '
                f'height="{height}">\n<style>{STYLE}</style>\n'
                '<rect width="100%" height="100%" class="page"/>\n' +
                "\n".join(self.parts) + "\n</svg>\n")
