package settings

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"

	"github.com/caddyserver/caddy/v2"

	"lamplighter/module/nearest"
)

// ExplainJSON returns why JSON is not that of a value's type, naming the member: one that
// there is not, with what may be meant, or one of another kind. nil if nothing is wrong.
func ExplainJSON(text []byte, of any) error {
	err := caddy.StrictUnmarshalJSON(text, reflect.New(reflect.TypeOf(of)).Interface())
	if err == nil {
		return nil
	}
	var members map[string]json.RawMessage
	if json.Unmarshal(text, &members) != nil {
		return err
	}
	known := membersOf(reflect.TypeOf(of))
	for _, name := range slices.Sorted(maps.Keys(members)) {
		if !slices.ContainsFunc(known, func(k string) bool { return strings.EqualFold(k, name) }) {
			return fmt.Errorf("there is no %s%s", name, nearest.Hint(name, known...))
		}
		one, _ := json.Marshal(map[string]json.RawMessage{name: members[name]}) // of what was JSON
		if err := caddy.StrictUnmarshalJSON(one, reflect.New(reflect.TypeOf(of)).Interface()); err != nil {
			return fmt.Errorf("%s: %w", name, inWords(err))
		}
	}
	return err
}

// inWords leaves types of Go out of an error.
func inWords(err error) error {
	if kind, ok := errors.AsType[*json.UnmarshalTypeError](err); ok {
		return fmt.Errorf("it is a JSON %s, and must be %s", kind.Value, wanted(kind.Type))
	}
	return err
}

// wanted says what JSON has for a type.
func wanted(t reflect.Type) string {
	switch t.Kind() {
	case reflect.Slice, reflect.Array:
		return "a list, as in [\"a\", \"b\"]"
	case reflect.Map, reflect.Struct, reflect.Pointer:
		return "an object"
	case reflect.Bool:
		return "true or false"
	case reflect.String:
		return "a string"
	default:
		return "a number"
	}
}

// Names are those of a client's settings, as JSON has them.
func Names() []string { return membersOf(reflect.TypeFor[Client]()) }

// membersOf are the names of a struct's fields in JSON, those of what it embeds included.
func membersOf(t reflect.Type) (names []string) {
	if t.Kind() != reflect.Struct {
		return nil
	}
	for _, field := range reflect.VisibleFields(t) {
		name, _, _ := strings.Cut(field.Tag.Get("json"), ",")
		if name != "" && name != "-" {
			names = append(names, name)
		}
	}
	return names
}
