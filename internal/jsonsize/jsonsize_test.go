package jsonsize_test

import (
	"encoding/json"
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"signalbox/internal/jsonsize"
)

type inner struct {
	Text  string   `json:"t"`
	Lists []string `json:"lists,omitempty"`
	At    time.Time
}

type outer struct {
	inner
	A     *inner            `json:"a,omitempty"`
	B     []inner           `json:"b"`
	C     map[string]any    `json:"c"`
	D     map[string]string `json:",omitempty"`
	N     int64
	U     uint64
	Yes   bool
	Any   any
	Raw   []byte
	Left  string `json:"-"`
	own   string
	Quote int `json:"q,string"`
}

// TestNoJSONIsLongerThanItsBound makes values of all kinds, of texts that JSON has to escape too.
func TestNoJSONIsLongerThanItsBound(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.OneOf(rapid.String(), rapid.Map(rapid.SliceOf(rapid.Byte()), func(b []byte) string { return string(b) }),
			rapid.StringOf(rapid.SampledFrom([]rune("<>&\"\\\x00\n\u2028é"))))
		item := rapid.Custom(func(t *rapid.T) inner {
			seconds := rapid.Int64Range(-62_135_596_800, 253_402_300_799).Draw(t, "seconds")
			zone := time.FixedZone("x", rapid.IntRange(-23, 23).Draw(t, "zone")*3600)
			at := time.Unix(seconds, rapid.Int64Range(0, 999_999_999).Draw(t, "ns")).UTC()
			if y := at.Year(); y > 1 && y < 9999 {
				at = at.In(zone)
			}
			return inner{text.Draw(t, "text"), rapid.SliceOf(text).Draw(t, "list"), at}
		})
		v := outer{inner: item.Draw(t, "embedded"), A: rapid.Ptr(item, true).Draw(t, "pointer"), B: rapid.SliceOf(item).Draw(t, "slice"),
			D: rapid.MapOf(text, text).Draw(t, "map"), N: rapid.Int64().Draw(t, "n"), U: rapid.Uint64().Draw(t, "u"), Yes: rapid.Bool().Draw(t, "yes"),
			Raw: rapid.SliceOf(rapid.Byte()).Draw(t, "raw"), Left: text.Draw(t, "left"), own: text.Draw(t, "own"), Quote: rapid.Int().Draw(t, "quoted")}
		v.Any = rapid.SampledFrom([]any{nil, true, "x", []any{nil, "y", map[string]any{"z": []any{}}}, v.A}).Draw(t, "any")
		v.C = map[string]any{text.Draw(t, "key"): v.Any}
		raw, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		if most, known := jsonsize.AtMost(v); !known || len(raw) > most {
			t.Fatalf("%d bytes, bounded by %d (%t): %s", len(raw), most, known, raw)
		}
	})
}

// TestWhatIsKnownCanBeWritten makes times of all years and zones: json.Marshal gives no error for what is known, and what it does give one for is not.
func TestWhatIsKnownCanBeWritten(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		year := rapid.OneOf(rapid.SampledFrom([]int{-1, 0, 1, 9999, 10_000}), rapid.IntRange(-300_000, 300_000)).Draw(t, "year")
		zone := rapid.SampledFrom([]int{0, 0, -5 * 3600, 14 * 3600, -86_399, 86_399, -86_400, 86_400, 100 * 3600}).Draw(t, "zone")
		at := time.Date(year, rapid.SampledFrom([]time.Month{time.January, time.December}).Draw(t, "month"), rapid.SampledFrom([]int{1, 31}).Draw(t, "day"),
			rapid.IntRange(0, 23).Draw(t, "hour"), 0, 0, 0, time.UTC).In(time.FixedZone("x", zone))
		for name, v := range map[string]any{"itself": at, "pointer": &at, "struct": inner{At: at}, "embedded": outer{inner: inner{At: at}}, "list": []inner{{At: at}},
			"map": map[string]time.Time{"x": at}, "within": []any{map[string]any{"x": &inner{At: at}}}} {
			raw, err := json.Marshal(v)
			most, known := jsonsize.AtMost(v)
			if known != (err == nil) || known && len(raw) > most {
				t.Fatalf("%s: %v, known %t: %d bytes, bounded by %d", name, err, known, len(raw), most)
			}
		}
	})
}

// own is a type that writes itself.
type own string

// MarshalJSON writes whatever it likes.
func (o own) MarshalJSON() ([]byte, error) { return json.Marshal(string(o) + string(o) + string(o)) }

func TestWhatCannotBeBoundedIsUnknown(t *testing.T) {
	for name, v := range map[string]any{"a type that writes itself": own("x"), "within": []any{map[string]any{"x": own("x")}}, "a number as a text": json.Number("1e5"),
		"a floating number": math.NaN(), "a map of numbers": map[int]string{}, "a channel": make(chan int), "raw JSON": json.RawMessage("1")} {
		_, known := jsonsize.AtMost(v)
		require.False(t, known, name)
	}
}

func TestMeasuringAllocatesLittle(t *testing.T) {
	v := outer{B: make([]inner, 10)}
	require.LessOrEqual(t, testing.AllocsPerRun(100, func() { jsonsize.AtMost(&v) }), 1.0)
}
