package sandbox_test

import (
	"encoding/base64"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"

	"lamplighter/module/internal/sandbox"
)

func TestRefreshKillsEverythingOlderAtOnce(t *testing.T) {
	r := newRig(t)
	first := r.refresh(r.sandbox.Seed())
	if first.ExpiresIn != "3600" || strings.Count(first.IDToken, ".") != 2 {
		t.Errorf("answered %s", first.raw)
	}
	r.accepts(first.AccessToken, true)
	second := r.refresh(first.RefreshToken)
	r.accepts(first.AccessToken, false)
	r.accepts(second.AccessToken, true)
	r.refused(r.sandbox.Seed())
	r.refused(first.RefreshToken)
	r.refresh(second.RefreshToken)
	if stats := r.sandbox.Stats(); stats.Refreshed != 3 || stats.Generation != 3 || stats.Refused != 2 || stats.SpentRefreshTokens != 2 {
		t.Errorf("%+v", stats)
	}
	want := []string{"refreshed", "refreshed", "unauthorized", "spent", "spent", "refreshed"}
	if got := r.kinds(); !slices.Equal(got, want) {
		t.Errorf("events %v", got)
	}
}

func TestOneOfManySimultaneousRefreshesWins(t *testing.T) {
	r := newRig(t)
	seed := r.sandbox.Seed()
	var group sync.WaitGroup
	for range 8 {
		group.Go(func() {
			if _, err := r.send(query(seed)); err != nil {
				t.Error(err)
			}
		})
	}
	group.Wait()
	if stats := r.sandbox.Stats(); stats.Refreshed != 1 || stats.SpentRefreshTokens != 7 {
		t.Errorf("%+v", stats)
	}
}

func TestWhatWasNeverIssuedIsRefusedAndNotSpent(t *testing.T) {
	r := newRig(t)
	seed := r.sandbox.Seed()
	access := r.refresh(seed).AccessToken
	forged := seed[:len(seed)-1] + "x"
	for _, token := range []string{"", "x", "rt-0-0-0", "rt-9-0-" + strings.Repeat("0", 32), "rt--1-0-x", access, forged} {
		r.refused(token)
	}
	if stats := r.sandbox.Stats(); stats.SpentRefreshTokens != 0 {
		t.Errorf("%+v", stats)
	}
}

func TestRefusalsInTheWordsOfEIAM(t *testing.T) {
	basic := func(credentials string) func(*http.Request) {
		return func(req *http.Request) {
			req.Header.Set("Authorization", "Basic "+base64.StdEncoding.EncodeToString([]byte(credentials)))
		}
	}
	raw := basic(clientID + ":" + clientSecret)
	formEncoded := basic(clientID + ":" + url.QueryEscape(clientSecret))
	get := func(req *http.Request) { req.Method = http.MethodGet }
	withBody := func(req *http.Request) {
		req.Body, req.ContentLength = io.NopCloser(strings.NewReader("a=b")), 3
	}
	without := func(names ...string) func(url.Values) {
		return func(params url.Values) {
			for _, name := range names {
				params.Del(name)
			}
		}
	}
	set := func(name, value string) func(url.Values) {
		return func(params url.Values) { params.Set(name, value) }
	}
	for name, tc := range map[string]struct {
		params      func(url.Values)
		request     func(*http.Request)
		status      int
		description string
	}{
		"the secret in the query":           {status: 200},
		"the secret in a raw header":        {params: without("client_id", "client_secret"), request: raw, status: 200},
		"that and the same client_id":       {params: without("client_secret"), request: raw, status: 200},
		"that and another client_id":        {params: func(p url.Values) { p.Del("client_secret"); p.Set("client_id", "x") }, request: raw, status: 400, description: "invalid client"},
		"the header form-encoded":           {params: without("client_id", "client_secret"), request: formEncoded, status: 400, description: "invalid client"},
		"both methods at once":              {request: raw, status: 400, description: "invalid client"},
		"a wrong secret":                    {params: set("client_secret", "a b/c=d %é"), status: 400, description: "invalid client"},
		"a wrong client":                    {params: set("client_id", "x"), status: 400, description: "invalid client"},
		"no client":                         {params: without("client_id", "client_secret"), status: 400, description: "invalid client"},
		"another grant type":                {params: set("grant_type", "password"), status: 403, description: "invalid grant_type"},
		"no refresh token":                  {params: without("refresh_token"), status: 400, description: "missing refresh_token parameter"},
		"GET":                               {request: get, status: 405, description: "method not allowed"},
		"parameters in the body":            {request: withBody, status: 400, description: "parameters belong in the query, and the body must be empty"},
		"a query that cannot be understood": {request: func(req *http.Request) { req.URL.RawQuery += "&x=%zz" }, status: 400, description: "malformed query"},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t)
			params := query(r.sandbox.Seed())
			if tc.params != nil {
				tc.params(params)
			}
			request := tc.request
			if request == nil {
				request = func(*http.Request) {}
			}
			out, err := r.send(params, request)
			if err != nil {
				t.Fatal(err)
			}
			if out.status != tc.status || out.Description != tc.description {
				t.Errorf("%d %s", out.status, out.raw)
			}
			if tc.status != http.StatusOK {
				r.refresh(r.sandbox.Seed()) // which was not spent
			}
		})
	}
}

func TestReuseRevokesTheGrantIfAskedTo(t *testing.T) {
	r := newRig(t, func(o *sandbox.Options) { o.RevokeOnReuse = true })
	seed := r.sandbox.Seed()
	first := r.refresh(seed)
	r.refused(seed)
	r.accepts(first.AccessToken, false)
	r.refused(first.RefreshToken)
	if stats := r.sandbox.Stats(); !stats.Revoked || stats.SpentRefreshTokens != 1 {
		t.Errorf("%+v", stats)
	}
}
