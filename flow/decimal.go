package flow

import (
	"encoding/json"
	"fmt"
	"math"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/shopspring/decimal"
)

// MaxDigits is how many digits a number may have before the point, and how many after it, where something is worked out from it. What is only passed
// on may have as many as fit.
const MaxDigits = 38

// number reads a number of a JSON text, exactly. The error is for people: the number is too long to be worked with.
func number(text string) (decimal.Decimal, error) {
	mantissa, exponent, _ := strings.Cut(strings.ToLower(text), "e")
	power, err := strconv.Atoi("0" + strings.TrimLeft(exponent, "+-"))
	// A few characters can say a number of a billion digits. Nothing may write it out before it is known to be short.
	if err != nil || power > 4*MaxDigits || len(mantissa) > 8*MaxDigits {
		return decimal.Decimal{}, tooLong(text)
	}
	d, err := decimal.NewFromString(text)
	if err != nil {
		return decimal.Decimal{}, fmt.Errorf("%s is no number", quoted(json.Number(text)))
	}
	return d, bounded(d)
}

// bounded refuses a number that has too many digits.
func bounded(d decimal.Decimal) error {
	if before := d.NumDigits() + int(d.Exponent()); before <= MaxDigits && d.Exponent() >= -MaxDigits {
		return nil
	}
	whole, part, _ := strings.Cut(strings.TrimPrefix(d.String(), "-"), ".") // which leaves out zeros at the end
	if len(whole) > MaxDigits || len(part) > MaxDigits {
		return tooLong(d.String())
	}
	return nil
}

func tooLong(text string) error {
	return fmt.Errorf("%s has too many digits: at most %d before the point and %d after it can be worked with", quoted(json.Number(text)), MaxDigits, MaxDigits)
}

// numeric gives the number that a value is, and false where it is none.
func numeric(value any) (decimal.Decimal, bool, error) {
	switch v := value.(type) {
	case decimal.Decimal:
		return v, true, nil
	case json.Number:
		d, err := number(string(v))
		return d, true, err
	case int:
		return decimal.NewFromInt(int64(v)), true, nil
	case int64:
		return decimal.NewFromInt(v), true, nil
	case float64:
		if math.IsNaN(v) || math.IsInf(v, 0) {
			return decimal.Decimal{}, true, fmt.Errorf("%v is no number", v)
		}
		d, err := number(strconv.FormatFloat(v, 'g', -1, 64))
		return d, true, err
	}
	return decimal.Decimal{}, false, nil
}

// digits writes a number as it is kept and sent: without an exponent, without zeros at the end of its decimals.
func digits(d decimal.Decimal) json.Number { return json.Number(d.String()) }

// whole reads a value of a field of type INT: a number without decimals, however it is written, or a text of digits, within int64.
func whole(value any) (json.Number, error) {
	refusal := fmt.Errorf("must be a whole number from %d to %d, not %s", math.MinInt64, math.MaxInt64, quoted(value))
	if text, ok := value.(string); ok {
		n, err := strconv.ParseInt(text, 10, 64)
		if err != nil {
			return "", refusal
		}
		return json.Number(strconv.FormatInt(n, 10)), nil
	}
	d, ok, err := numeric(value)
	if !ok || err != nil || !d.IsInteger() || !d.BigInt().IsInt64() {
		return "", refusal
	}
	return digits(d), nil
}

// maxQuoted is how much of a value a sentence about it repeats, in characters.
const maxQuoted = 64

// quoted writes a value into a sentence: texts in quotes, all else as JSON, and of what is long its beginning.
func quoted(value any) string {
	raw, err := json.Marshal(value)
	if n, ok := value.(json.Number); ok {
		raw = []byte(n)
	} else if text, ok := value.(string); ok {
		raw = []byte(strconv.Quote(cut(text, maxQuoted+1)))
	} else if err != nil {
		raw = fmt.Append(nil, value)
	}
	if text := string(raw); utf8.RuneCountInString(text) > maxQuoted {
		return cut(text, maxQuoted) + "…"
	}
	return string(raw)
}
