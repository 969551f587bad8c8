package reading

import (
	"bytes"
	"regexp"
)

// page recognises HTML, also that of a runtime that writes a warning before anything
// else; tag any other markup.
var (
	page = regexp.MustCompile(`(?is)^(?:<\?xml[^>]*>\s*)?(?:<!--.*?-->\s*)*<(?:!doctype\s+html|(?:html|head|body|title|meta|script|style|div|p|br|hr|b|i|u|a|h[1-6]|pre|center|font|span|table|ul|ol|li|img|form)[\s/>])`)
	tag  = regexp.MustCompile(`(?is)^<(?:\?xml|!doctype|!--|[a-z_][\w.:-]*[\s/>])`)
)

// markup tells what a body is that begins with a tag.
func markup(body []byte) Form {
	head := body[:min(len(body), 1<<10)]
	if !page.Match(head) && tag.Match(head) {
		return IsXML
	}
	return IsHTML
}

// printed are what programs print or write that is no JSON.
var printed = []struct {
	what string
	like *regexp.Regexp
}{
	{"what PHP's var_dump prints", regexp.MustCompile(`(?i)^(?:<pre[^>]*>\s*)?(?:array|object)\([^)]{0,64}\)\s*(?:#\d+\s*\(\d+\)\s*)?\{`)},
	{"what PHP's print_r prints", regexp.MustCompile(`(?i)^(?:<pre[^>]*>\s*)?(?:array|[\w\\]{1,64} object)\s*\(\s*\[`)},
	{"what PHP's var_export prints", regexp.MustCompile(`(?i)^(?:<pre[^>]*>\s*)?(?:array\s*\(|\[)\s*['"]?\w+['"]?\s*=>`)},
	{"what PHP's serialize writes", regexp.MustCompile(`^(?:a:\d+:\{|O:\d+:")`)},
	{"YAML", regexp.MustCompile(`^(?:---\s*\n|[A-Za-z_][\w-]{0,64}:(?:[ \t][^\n]*)?\n\s*[\w-])`)},
	{"settings, line by line", regexp.MustCompile(`^(?:\[[\w.-]{1,64}\]\s*\n|[A-Za-z_][\w.-]{0,64}[ \t]*=[^\n]*\n)`)},
	{"one word, which may be the access token: then set 'access_token_path @body'", regexp.MustCompile(`^[\w.~+/-]{16}[\w.~+/-]*=*$`)},
}

// LooksLike says what a body is that is neither JSON nor a form.
func (r *Reply) LooksLike() string {
	head := r.Body[:min(len(r.Body), 8<<10)]
	for _, kind := range printed {
		if kind.like.Match(head) {
			return kind.what
		}
	}
	switch {
	case r.Form == IsXML:
		return "an XML document"
	case r.Form == IsHTML:
		return "an HTML page, as gateways have"
	case !isText(head) || bytes.IndexByte(head, 0) >= 0:
		return "binary data"
	}
	return "text of another kind"
}
