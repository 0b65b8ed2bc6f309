package main

import (
	"bytes"
	"fmt"
	"slices"
	"time"
)

// The chart has two fields, one above the other, with the same time from left to right.
const (
	chartWidth, fieldHeight = 900, 220
	left, right, top, gap   = 70, 20, 50, 60
)

// second is what the chart shows of one.
type second struct {
	requests, faults int
	p50, p99         time.Duration
}

func (r *results) seconds() []second {
	times := make([][]time.Duration, int(r.all[len(r.all)-1].at/time.Second)+1)
	seconds := make([]second, len(times))
	for _, x := range r.all {
		n := int(x.at / time.Second)
		times[n] = append(times[n], x.took)
		if x.fault != "" {
			seconds[n].faults++
		}
	}
	for n, t := range times {
		slices.Sort(t)
		seconds[n].requests, seconds[n].p50, seconds[n].p99 = len(t), percentile(t, 0.5), percentile(t, 0.99)
	}
	return seconds
}

// chart draws requests and faults of each second, and the median and the 99th percentile
// of their times, as SVG that needs nothing else. There must be a result.
func (r *results) chart() []byte {
	var b bytes.Buffer
	height := top + 2*fieldHeight + 2*gap
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" font-family="sans-serif" font-size="12">`+"\n", chartWidth, height)
	fmt.Fprintf(&b, `<rect width="%d" height="%d" fill="#fff"/>`+"\n", chartWidth, height)
	fmt.Fprintf(&b, `<text x="%d" y="20" font-size="15">%d requests in %.0f s, %d not as they should be</text>`+"\n", left, len(r.all), r.took.Seconds(), r.faults())
	seconds := r.seconds()
	values := func(of func(second) float64) []float64 {
		v := make([]float64, len(seconds))
		for i, s := range seconds {
			v[i] = of(s)
		}
		return v
	}
	field(&b, top, "requests a second", []line{
		{"requests", "#1f6feb", values(func(s second) float64 { return float64(s.requests) })},
		{"faults", "#cf222e", values(func(s second) float64 { return float64(s.faults) })},
	})
	field(&b, top+fieldHeight+gap, "milliseconds", []line{
		{"p99", "#bf8700", values(func(s second) float64 { return milliseconds(s.p99) })},
		{"p50", "#1a7f37", values(func(s second) float64 { return milliseconds(s.p50) })},
	})
	b.WriteString("</svg>\n")
	return b.Bytes()
}

// line is one of a field, a value for each second.
type line struct {
	name, color string
	values      []float64
}

func field(b *bytes.Buffer, y int, unit string, lines []line) {
	most, seconds := 1.0, len(lines[0].values)
	for _, l := range lines {
		most = max(most, slices.Max(l.values))
	}
	width := chartWidth - left - right
	atX := func(second int) float64 { return left + float64(width)*(float64(second)+0.5)/float64(seconds) }
	atY := func(value float64) float64 { return float64(y+fieldHeight) - fieldHeight*value/most }
	for i := range 5 {
		value := most * float64(i) / 4
		fmt.Fprintf(b, `<path d="M%d %.1fh%d" stroke="#d0d7de"/><text x="%d" y="%.1f" text-anchor="end">%.4g</text>`+"\n", left, atY(value), width, left-6, atY(value)+4, value)
	}
	step := max(1, (seconds+9)/10)
	for s := 0; s < seconds; s += step {
		fmt.Fprintf(b, `<text x="%.1f" y="%d" text-anchor="middle">%d s</text>`+"\n", atX(s), y+fieldHeight+18, s)
	}
	fmt.Fprintf(b, `<text x="%d" y="%d">%s</text>`+"\n", left, y-8, unit)
	for i, l := range lines {
		fmt.Fprintf(b, `<polyline fill="none" stroke="%s" stroke-width="2" points="`, l.color)
		for s, value := range l.values {
			fmt.Fprintf(b, "%.1f,%.1f ", atX(s), atY(value))
		}
		b.WriteString(`"/>` + "\n")
		fmt.Fprintf(b, `<text x="%d" y="%d" fill="%s">%s</text>`+"\n", chartWidth-right-70*(i+1), y-8, l.color, l.name)
	}
}
