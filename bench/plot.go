package main

import (
	"encoding/xml"
	"fmt"
	"strconv"
	"strings"
)

// plot is a chart of horizontal bars.
type plot struct {
	title    string
	subtitle string // what is measured, and which way is better
	notes    string // what stands in the bars' notes
	bars     []bar
}

type bar struct {
	label string
	value float64
	text  string // the value as it is to be read
	note  string
	ours  bool
}

// Places in the plot, in pixels.
const (
	plotWidth  = 760
	plotMargin = 28
	plotHead   = 84  // to the top of the first bar
	plotRow    = 34  // from bar to bar
	plotBar    = 20  // height of a bar
	plotLabels = 276 // where bars begin
	plotValues = 66  // kept free for the longest bar's figure
	plotNotes  = 66  // width of the column of notes
)

// svg draws the plot. The colours are the demo page's, and follow the reader's choice
// of light or dark.
func (p *plot) svg() string {
	height := plotHead + plotRow*len(p.bars) + plotMargin - (plotRow - plotBar)
	var b strings.Builder
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %[1]d %[2]d" width="%[1]d" height="%[2]d" role="img" aria-labelledby="title desc">
<title id="title">%[3]s</title>
<desc id="desc">%[4]s</desc>
<style>
  svg { --card: #ffffff; --ink: #14201e; --soft: #51605d; --line: #dce3e1; --bar: #b9c6c2; --ours: #1f5f5b; }
  @media (prefers-color-scheme: dark) {
    svg { --card: #161e1c; --ink: #e9efed; --soft: #a3b1ae; --line: #293532; --bar: #4a5955; --ours: #7fd1c7; }
  }
  text { font: 14px system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", sans-serif; fill: var(--ink); }
  .title { font-size: 18px; font-weight: 650; }
  .soft { fill: var(--soft); }
  .value, .note { font-variant-numeric: tabular-nums; }
  .note { text-anchor: end; fill: var(--soft); }
  .ours { font-weight: 650; }
  rect { fill: var(--bar); }
  rect.ours { fill: var(--ours); }
  .card { fill: var(--card); stroke: var(--line); }
  line { stroke: var(--line); }
</style>
<rect class="card" x=".5" y=".5" width="%[5]d" height="%[6]d" rx="12"/>
<text class="title" x="%[7]d" y="38">%[3]s</text>
<text class="soft" x="%[7]d" y="61">%[8]s</text>
<text class="note" x="%[9]d" y="61">%[10]s</text>
`, plotWidth, height, text(p.title), text(p.words()), plotWidth-1, height-1, plotMargin, text(p.subtitle), plotWidth-plotMargin, text(p.notes))
	p.drawBars(&b)
	fmt.Fprintf(&b, "<line x1=\"%[1]d.5\" x2=\"%[1]d.5\" y1=\"%[2]d\" y2=\"%[3]d\"/>\n</svg>\n", plotLabels-1, plotHead-6, height-plotMargin+6)
	return b.String()
}

func (p *plot) drawBars(b *strings.Builder) {
	longest := 0.0
	for _, bar := range p.bars {
		longest = max(longest, bar.value)
	}
	for i, bar := range p.bars {
		top, width, class := plotHead+i*plotRow, 2.0, ""
		if longest > 0 {
			width = max(width, bar.value/longest*(plotWidth-plotMargin-plotLabels-plotValues-plotNotes))
		}
		if bar.ours {
			class = " ours"
		}
		baseline := top + plotBar - 5
		fmt.Fprintf(b, `<text class="label%[1]s" x="%[2]d" y="%[3]d">%[4]s</text><rect class="bar%[1]s" x="%[5]d" y="%[6]d" width="%.1[7]f" height="%[8]d" rx="3"/><text class="value%[1]s" x="%.1[9]f" y="%[3]d">%[10]s</text><text class="note%[1]s" x="%[11]d" y="%[3]d">%[12]s</text>
`, class, plotMargin, baseline, text(bar.label), plotLabels, top, width, plotBar, plotLabels+width+8, text(bar.text), plotWidth-plotMargin, text(bar.note))
	}
}

// words tell the plot to who does not see it.
func (p *plot) words() string {
	all := make([]string, len(p.bars))
	for i, bar := range p.bars {
		all[i] = bar.label + " " + bar.text
	}
	return p.subtitle + ": " + strings.Join(all, "; ")
}

// grouped writes a count as it is read best, 12,345.
func grouped(n float64) string {
	digits := strconv.FormatFloat(n, 'f', 0, 64)
	for i := len(digits) - 3; i > 0; i -= 3 {
		digits = digits[:i] + "," + digits[i:]
	}
	return digits
}

// text is safe inside an element and an attribute.
func text(s string) string {
	var b strings.Builder
	_ = xml.EscapeText(&b, []byte(s)) // a builder takes everything
	return b.String()
}
