package caddyfile

import (
	"strconv"
	"strings"

	"github.com/caddyserver/caddy/v2"
	"github.com/dustin/go-humanize"
)

func (p *clientParser) text(field *string) error {
	setting := p.Val()
	switch p.CountRemainingArgs() {
	case 0:
		return p.Errf("%s has no value; a {$VARIABLE} that is not set is none ('lamplighter validate' and 'run' take --envfile)", setting)
	case 1:
	default:
		return p.Errf("%s takes one value", setting)
	}
	p.AllArgs(field)
	if *field == "" {
		return p.Errf("%s is empty; if its value is an environment variable, that is not set", setting)
	}
	return nil
}

func (p *clientParser) flag(field *bool) error {
	*field = true
	return p.end()
}

func (p *clientParser) duration(field *caddy.Duration) error {
	setting := p.Val()
	var value string
	if err := p.text(&value); err != nil {
		return err
	}
	dur, err := caddy.ParseDuration(value)
	if err != nil || dur <= 0 {
		return p.Errf("%s %q is not a duration such as 10s, 5m or 1h", setting, value)
	}
	*field = caddy.Duration(dur)
	return nil
}

func (p *clientParser) list(field *[]string) error {
	args := p.RemainingArgs()
	if len(args) == 0 {
		return p.ArgErr()
	}
	*field = append(*field, args...)
	return nil
}

func (p *clientParser) pair(field *map[string][]string) error {
	var name, value string
	if !p.AllArgs(&name, &value) {
		return p.ArgErr()
	}
	if *field == nil {
		*field = make(map[string][]string)
	}
	(*field)[name] = append((*field)[name], value)
	return nil
}

func (p *clientParser) count(field *int) error {
	setting := p.Val()
	var value string
	if err := p.text(&value); err != nil {
		return err
	}
	n, err := strconv.Atoi(value)
	if err != nil || n < 1 {
		return p.Errf("%s %q is not a number of at least 1", setting, value)
	}
	*field = n
	return nil
}

func (p *clientParser) ratio(field *float64) error {
	var value string
	if err := p.text(&value); err != nil {
		return err
	}
	above, below, isFraction := strings.Cut(value, "/")
	n, err := strconv.ParseFloat(above, 64)
	if err == nil && isFraction {
		var divisor float64
		divisor, err = strconv.ParseFloat(below, 64)
		n /= divisor
	}
	if err != nil || !(n > 0 && n < 1) {
		return p.Errf("refresh_window_ratio %q is not a fraction between 0 and 1 such as 1/3 or 0.25", value)
	}
	*field = n
	return nil
}

func (p *clientParser) size(field **int64) error {
	var value string
	if err := p.text(&value); err != nil {
		return err
	}
	bytes, err := humanize.ParseBytes(value)
	if err != nil || bytes > 1<<40 {
		return p.Errf("replay_buffer %q is not a size such as 64KiB", value)
	}
	size := int64(bytes)
	*field = &size
	return nil
}
