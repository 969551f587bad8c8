package tokenendpoint

import (
	"strings"
	"testing"
	"time"

	"lamplighter/module/internal/tokenendpoint/asking"
)

func TestPathsThatNoAnswerCanHaveAreRefused(t *testing.T) {
	for path, want := range map[string]string{
		"a|":               "alternative of it is empty",
		"a||b":             "alternative of it is empty",
		" ":                "alternative of it is empty",
		"header:":          "such as 'header:X-Token'",
		"cookie:a b":       "such as 'cookie:X-Token'",
		"@header":          "only @body",
		"$.data.token":     "'data.0.token'",
		"/data/token":      "'data.0.token'",
		"data[0].token":    "'data.0.token'",
		"data[].token":     "'data.0.token'",
		".data":            "between the dots is empty",
		"data.":            "between the dots is empty",
		"data..token":      "between the dots is empty",
		"access_token|$.x": "'data.0.token'",
	} {
		for setting, d := range map[string]Dialect{
			"access_token_path": {AccessTokenPath: path}, "refresh_token_path": {RefreshTokenPath: path}, "id_token_path": {IDTokenPath: path},
			"expires_path": {ExpiresPath: path}, "error_path": {ErrorPath: path}, "{response.": {ResponsePaths: []string{path}},
		} {
			if _, err := newOver(d, asking.Connection{}, time.Now); err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), setting) {
				t.Errorf("%s %q: %v; want it to say %q", setting, path, err, want)
			}
		}
	}
}

func TestPathsOfEveryKindAreTaken(t *testing.T) {
	for _, path := range []string{
		"access_token", "data.token", "data.0.token", "a|b", "a | b.c", "header:X-Subject-Token", "cookie:sid", "@body",
		"urn:example:token", "https://example.com/token", "access-token", "\u8bbf\u95ee.token", "errcode|error.code",
	} {
		if _, err := newOver(Dialect{AccessTokenPath: path, ResponsePaths: []string{path}}, asking.Connection{}, time.Now); err != nil {
			t.Errorf("%q: %v", path, err)
		}
	}
}
