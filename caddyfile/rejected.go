package caddyfile

import (
	"net/http"
	"strconv"
	"strings"

	"lamplighter/module/nearest"
	"lamplighter/module/rejection"
)

// rejected reads 'rejected off', or a block of lines that all hold.
func (p *clientParser) rejected() error {
	if p.NextArg() {
		if p.Val() != "off" {
			return p.Errf("rejected takes 'off', or a block with 'status', 'header' and 'json'")
		}
		p.client.RejectedOff = true
		return p.end()
	}
	var r rejection.Rejection
	for nesting := p.Nesting(); p.NextBlock(nesting); {
		var err error
		switch p.Val() {
		case "status":
			err = p.rejectedStatus(&r)
		case "header":
			err = p.rejectedMember((*map[string][]string)(&r.Header), http.CanonicalHeaderKey)
		case "json":
			err = p.rejectedMember(&r.JSON, strings.TrimSpace)
		default:
			err = p.Errf("unrecognized subdirective: %s%s", p.Val(), nearest.Hint(p.Val(), "status", "header", "json"))
		}
		if err != nil {
			return err
		}
	}
	p.client.Rejected = append(p.client.Rejected, r)
	return nil
}

func (p *clientParser) rejectedStatus(r *rejection.Rejection) error {
	if r.Status != nil {
		return p.Errf("status already specified: put all of them in one line, or into blocks of their own")
	}
	args := p.RemainingArgs()
	if len(args) == 0 {
		return p.ArgErr()
	}
	for _, arg := range args {
		digits := strings.TrimSuffix(arg, "xx")
		status, err := strconv.Atoi(digits)
		if err != nil || len(arg) != 3 {
			return p.Errf("status %q is neither a status such as 403 nor a class such as 4xx", arg)
		}
		r.Status = append(r.Status, status)
	}
	return nil
}

// rejectedMember reads a name, and the value that it must have, if any.
func (p *clientParser) rejectedMember(field *map[string][]string, canonical func(string) string) error {
	line, args := p.Val(), p.RemainingArgs()
	if len(args) < 1 || len(args) > 2 {
		return p.ArgErr()
	}
	name := canonical(args[0])
	if *field == nil {
		*field = make(map[string][]string)
	}
	if _, again := (*field)[name]; again {
		return p.Errf("%s %s already specified: all lines of a block must hold; for another value add another block", line, name)
	}
	(*field)[name] = append([]string{}, args[1:]...)
	return nil
}
