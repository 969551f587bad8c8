package reading

import (
	"bytes"
	"encoding/json"
	"testing"
)

// FuzzScanner: what JSON is for encoding/json is the same for the scanner.
func FuzzScanner(f *testing.F) {
	f.Add([]byte(`{"a":[1,true,null,"\u00e4\ud83d\ude00\n",{"b":-1.5e3}],"c":{}}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		s := scanner{text: text}
		got, whole := s.value(0)
		for range Objects(text) {
		}
		var want any
		decoder := json.NewDecoder(bytes.NewReader(text))
		decoder.UseNumber()
		if len(text) == 0 || text[0] != '{' && text[0] != '[' || !json.Valid(text) || decoder.Decode(&want) != nil || bytes.Count(text, []byte(`"`)) > 200 {
			return
		}
		if !whole {
			t.Fatalf("%q is not whole", text)
		}
		if deep := bytes.Count(text, []byte("{")) + bytes.Count(text, []byte("[")); deep >= maxDepth || hasTwins(text) || !bytes.Equal(bytes.ToValidUTF8(text, nil), text) {
			return
		}
		a, _ := json.Marshal(got)
		b, _ := json.Marshal(want)
		if !bytes.Equal(a, b) {
			t.Errorf("%q: %s, want %s", text, a, b)
		}
	})
}

// hasTwins reports whether an object may have two members of one name: then the
// scanner keeps the one that says something.
func hasTwins(text []byte) bool {
	decoder, names := json.NewDecoder(bytes.NewReader(text)), map[string]bool{}
	for {
		token, err := decoder.Token()
		if err != nil {
			return false
		}
		if name, ok := token.(string); ok {
			if names[name] {
				return true
			}
			names[name] = true
		}
	}
}
