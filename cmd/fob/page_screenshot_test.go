package main

import (
	"bytes"
	"cmp"
	"image"
	"image/color"
	"image/png"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"
)

// The screenshots of README.md, for readers in the light and in the dark.
var screenshots = map[string]string{"light": "../../docs/page.png", "dark": "../../docs/page-dark.png"}

const mostOfScreenshot = 60 << 10 // bytes

// screenshots makes them with -update, and else compares their size: fonts differ from
// machine to machine.
func (b *browser) screenshots(t *testing.T) {
	t.Helper()
	for scheme, path := range screenshots {
		b.like(t, wide, high, scheme)
		want, err := png.Decode(bytes.NewReader(b.picture(t, false)))
		if err != nil {
			t.Fatal(err)
		}
		if *updateDocs {
			if err := os.WriteFile(path, small(t, want), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		file, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		got, err := png.DecodeConfig(bytes.NewReader(file))
		if err != nil || len(file) > mostOfScreenshot || got.Width != want.Bounds().Dx() || got.Height != want.Bounds().Dy() {
			t.Errorf("%s: %v, %d by %d, %d bytes; want at most %d bytes of %v", path, err, got.Width, got.Height, len(file), mostOfScreenshot, want.Bounds())
		}
		if page, err := os.ReadFile("../../README.md"); err != nil || !strings.Contains(string(page), strings.TrimPrefix(path, "../../")) {
			t.Errorf("README.md does not show %s: %v", path, err)
		}
	}
	b.like(t, wide, high, "light")
}

// small is a picture as a PNG of its 64 most frequent colours, with each other one as the
// nearest of these: a page has few, and the rest are edges of letters.
func small(t *testing.T, picture image.Image) []byte {
	t.Helper()
	area, count := picture.Bounds(), map[color.RGBA]int{}
	at := func(x, y int) color.RGBA { return color.RGBAModel.Convert(picture.At(x, y)).(color.RGBA) }
	for y := area.Min.Y; y < area.Max.Y; y++ {
		for x := area.Min.X; x < area.Max.X; x++ {
			count[at(x, y)]++
		}
	}
	colours := slices.SortedFunc(maps.Keys(count), func(a, b color.RGBA) int { return cmp.Compare(count[b], count[a]) })
	var palette color.Palette
	for _, c := range colours[:min(64, len(colours))] {
		palette = append(palette, c)
	}
	nearest := map[color.RGBA]uint8{}
	for _, c := range colours {
		nearest[c] = uint8(palette.Index(c))
	}
	reduced := image.NewPaletted(area, palette)
	for y := area.Min.Y; y < area.Max.Y; y++ {
		for x := area.Min.X; x < area.Max.X; x++ {
			reduced.SetColorIndex(x, y, nearest[at(x, y)])
		}
	}
	var out bytes.Buffer
	if err := (&png.Encoder{CompressionLevel: png.BestCompression}).Encode(&out, reduced); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}
