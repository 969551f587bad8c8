package redact

// base64Encoding is base64 in both alphabets, broken into lines or not. Where a
// text was cut out of another nobody knows where a group of four begins: every
// place is tried.
func base64Encoding(text string) []string { return blocks(text, base64Digits, 6) }

// hexEncoding is two hexadecimal digits a byte, in any case.
func hexEncoding(text string) []string { return blocks(text, hexDigits, 4) }

// digits are the values of an alphabet's characters; other says what is none.
type digits [256]byte

const (
	other = 0xff
	blank = 0xfe // may stand between the digits
)

var (
	base64Digits = alphabet("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/")
	hexDigits    = alphabet("0123456789abcdef")
)

func alphabet(characters string) *digits {
	d := new(digits)
	for i := range d {
		d[i] = other
	}
	for _, c := range []byte(" \t\n\v\f\r") {
		d[c] = blank
	}
	for i, c := range []byte(characters) {
		d[c] = byte(i)
	}
	switch len(characters) {
	case 64:
		d['-'], d['_'] = d['+'], d['/']
	case 16:
		for c := byte('A'); c <= 'F'; c++ {
			d[c] = c - 'A' + 10
		}
		d[':'] = blank
	}
	return d
}

// blocks decodes the runs of digits of so many bits each, from every digit of a
// run that may be the first of a byte.
func blocks(text string, values *digits, width uint) (texts []string) {
	phases := 24 / width // 4 of base64; of hex only 2 differ
	if width == 4 {
		phases = 2
	}
	run := make([]byte, 0, len(text))
	decoded := make([][]byte, phases)
	end := func() {
		if uint(len(run))*width >= 8*minSecret {
			for phase := range phases {
				decoded[phase] = append(join(decoded[phase], run[phase:], width), '\n')
			}
		}
		run = run[:0]
	}
	for i := range len(text) {
		switch v := values[text[i]]; v {
		case blank:
		case other:
			end()
		default:
			run = append(run, v)
		}
	}
	end()
	for _, d := range decoded {
		if len(d) > 0 {
			texts = append(texts, string(d))
		}
	}
	return texts
}

// join puts the bits of digits together.
func join(decoded, run []byte, width uint) []byte {
	var bits, n uint
	for _, v := range run {
		bits, n = bits<<width|uint(v), n+width
		if n >= 8 {
			n -= 8
			decoded = append(decoded, byte(bits>>n)) //nolint:gosec // the lowest eight bits
		}
	}
	return decoded
}
