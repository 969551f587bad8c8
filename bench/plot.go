package main

import (
	"errors"
	"fmt"
	"image/color"
	"math"
	"slices"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
	_ "gonum.org/v1/plot/vg/vgsvg" // the format of the file
)

// points are ratios with their spread, from the bottom to the top.
type points struct {
	plotter.XYs
	plotter.XErrors
}

// plot draws the ratios that have a spread, on a logarithmic scale: half is as
// far from one as twice.
func (r report) plot(path string) error {
	var all points
	var names []string
	for _, t := range slices.Backward(r.tables) {
		for _, row := range slices.Backward(t.rows) {
			s, ok := row.ratio()
			if !ok || row.missing != "" || row.invalid != nil || s.low <= 0 || len(row.ratios()) < 2 {
				continue
			}
			all.XYs = append(all.XYs, plotter.XY{X: s.median, Y: float64(len(names))})
			all.XErrors = append(all.XErrors, struct{ Low, High float64 }{s.low - s.median, s.high - s.median})
			names = append(names, row.what)
		}
	}
	if len(names) == 0 {
		return errors.New("there is nothing to plot")
	}
	plot.DefaultFont.Variant = "Sans"
	plotter.DefaultFont.Variant = "Sans"
	p := plot.New()
	p.Title.Text = "Ratio to the baseline: median, and range of all rounds"
	p.X.Scale = plot.LogScale{}
	p.X.Tick.Marker = plot.ConstantTicks(ratioTicks(all))
	p.NominalY(names...)
	bars, err := plotter.NewXErrorBars(all)
	if err != nil {
		return err
	}
	dots, err := plotter.NewScatter(all)
	if err != nil {
		return err
	}
	dots.GlyphStyle = draw.GlyphStyle{Color: color.RGBA{R: 0xc0, G: 0x60, A: 0xff}, Radius: vg.Points(3), Shape: draw.CircleGlyph{}}
	one, err := plotter.NewLine(plotter.XYs{{X: 1, Y: -0.5}, {X: 1, Y: float64(len(names)) - 0.5}})
	if err != nil {
		return err
	}
	one.Dashes = []vg.Length{vg.Points(3), vg.Points(3)}
	one.Color = color.Gray{Y: 0x80}
	p.Add(one, bars, dots)
	p.X.Min, p.X.Max = p.X.Min*0.9, p.X.Max*1.1
	return p.Save(9*vg.Inch, vg.Length(len(names)+4)*0.25*vg.Inch, path)
}

// ratioTicks marks powers of two, as far as there are points.
func ratioTicks(all points) (ticks []plot.Tick) {
	low, high := 1.0, 1.0
	for i, p := range all.XYs {
		low, high = min(low, p.X+all.XErrors[i].Low), max(high, p.X+all.XErrors[i].High)
	}
	for exponent := math.Floor(math.Log2(low)); exponent <= math.Ceil(math.Log2(high)); exponent++ {
		value := math.Exp2(exponent)
		ticks = append(ticks, plot.Tick{Value: value, Label: fmt.Sprint(value)})
	}
	return ticks
}
