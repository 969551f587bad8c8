package statuspage

import (
	"fmt"
	"net/http"
	"net/url"

	"lamplighter/module/adminapi"
	"lamplighter/module/internal/redact"
	"lamplighter/module/internal/target"
	"lamplighter/module/settings"
)

// ordered checks that a form is one of ours, and returns the client that it is about.
func (p *Page) ordered(w http.ResponseWriter, r *http.Request) (client string, ok bool) {
	r.Body = http.MaxBytesReader(w, r.Body, statusLimit)
	from, site := r.Header.Get("Origin"), r.Header.Get("Sec-Fetch-Site")
	foreign := from != "" && from != "http://"+p.host || site != "" && site != "same-origin"
	if foreign || !same(r.PostFormValue("form"), p.form) {
		http.Error(w, "this form is not ours", http.StatusForbidden)
		return "", false
	}
	client = r.PostFormValue("client")
	if settings.CheckName(client) != nil {
		http.Error(w, "no such client", http.StatusBadRequest)
		return "", false
	}
	return client, true
}

// call asks for something about a client.
func (p *Page) call(client, action string, body, into any) error {
	return p.ask(http.MethodPost, "/oauth2_client/clients/"+url.PathEscape(client)+action, body, into)
}

// refresh does what the button of a client says.
func (p *Page) refresh(w http.ResponseWriter, r *http.Request, client string) {
	var result adminapi.OrderResult
	err := p.call(client, "/refresh", nil, &result)
	p.note(client, result, err)
	http.Redirect(w, r, backTo(client), http.StatusSeeOther)
}

// imports presents a refresh token that somebody pasted. It is in no answer.
func (p *Page) imports(w http.ResponseWriter, r *http.Request, client string) {
	var result adminapi.OrderResult
	token, err := adminapi.CheckToken(r.PostFormValue("refresh_token"))
	if err == nil {
		err = p.call(client, "/import", adminapi.ImportRequest{RefreshToken: token}, &result)
	}
	p.note(client, result, err)
	http.Redirect(w, r, backTo(client), http.StatusSeeOther)
}

// note keeps what became of an order until the client is shown.
func (p *Page) note(client string, r adminapi.OrderResult, err error) {
	n := notice{Text: "No new token: " + r.Detail}
	switch {
	case err != nil:
		n.Text = err.Error()
	case r.Obtained:
		n = notice{true, fmt.Sprintf("New token obtained: generation %d.", r.Status.Generation)}
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.notices[client] = n
}

// maxLogins bounds the log-ins that somebody began and left.
const maxLogins = 100

// login is one that is under way.
type login struct {
	client string
	began  adminapi.LoginAnswer
}

// began remembers a log-in. It reports false for none.
func (p *Page) began(client string, a adminapi.LoginAnswer) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.logins) >= maxLogins {
		clear(p.logins)
	}
	p.logins[a.State] = login{client, a}
	return a.State != ""
}

// under returns the log-in of that state, the zero value if there is none; with over set
// it has ended.
func (p *Page) under(state string, over bool) login {
	p.mu.Lock()
	defer p.mu.Unlock()
	l := p.logins[state]
	if over {
		delete(p.logins, state)
	}
	return l
}

// loginView is the page between ours and the authorization server's.
type loginView struct {
	Client, Link, Code, Complete string
}

// login begins a log-in in this browser (RFC 6749 section 4.1). The way leads over a link,
// so that somebody sees where it goes.
func (p *Page) login(w http.ResponseWriter, r *http.Request, client string) {
	var began adminapi.LoginAnswer
	err := p.call(client, "/login", adminapi.LoginRequest{RedirectURI: "http://" + p.host + callbackPath}, &began)
	if err == nil && (!target.IsWebAddress(began.AuthorizationURL) || !p.began(client, began)) {
		err = fmt.Errorf("authorization_endpoint is no address that a browser opens: %s", redact.Quote(began.AuthorizationURL))
	}
	if err != nil {
		p.note(client, adminapi.OrderResult{}, err)
		http.Redirect(w, r, backTo(client), http.StatusSeeOther)
		return
	}
	p.render(w, "login", loginView{Client: client, Link: began.AuthorizationURL})
}

// loggedIn takes the authorization response.
func (p *Page) loggedIn(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	client := p.under(q.Get("state"), true).client
	if client == "" {
		http.Error(w, "this is not a log-in that this page began, or it has ended: begin again", http.StatusBadRequest)
		return
	}
	brought := func(name string) string { return q.Get(name)[:min(len(q.Get(name)), maxBrought)] }
	step := adminapi.LoginRequest{State: q.Get("state"), Code: q.Get("code")}
	if step.Code == "" {
		step.Error, step.ErrorDescription = brought("error"), brought("error_description")
	}
	var answer adminapi.LoginAnswer
	err := p.call(client, "/login", step, &answer)
	p.ended(client, answer, err)
	goOn(w, backTo(client), "Go on to the status")
}

// ended notes how a log-in ended.
func (p *Page) ended(client string, answer adminapi.LoginAnswer, err error) {
	var result adminapi.OrderResult
	if answer.Result != nil {
		result = *answer.Result
	}
	p.note(client, result, err)
}

// device begins a log-in on another device (RFC 8628).
func (p *Page) device(w http.ResponseWriter, r *http.Request, client string) {
	var began adminapi.LoginAnswer
	err := p.call(client, "/login", adminapi.LoginRequest{Device: true}, &began)
	if err != nil || !p.began(client, began) {
		p.note(client, adminapi.OrderResult{}, err)
		http.Redirect(w, r, backTo(client), http.StatusSeeOther)
		return
	}
	p.showCode(w, client, began)
}

// showCode shows what is to be entered, and asks again when the server is to be asked.
func (p *Page) showCode(w http.ResponseWriter, client string, a adminapi.LoginAnswer) {
	w.Header().Set("Refresh", fmt.Sprintf("%d; url=/device?state=%s", max(1, int(a.Interval+0.5)), url.QueryEscape(a.State)))
	view := loginView{Client: client, Code: a.UserCode}
	if target.IsWebAddress(a.VerificationURI) {
		view.Link = a.VerificationURI
	}
	if target.IsWebAddress(a.VerificationURIComplete) {
		view.Complete = a.VerificationURIComplete
	}
	p.render(w, "device", view)
}

// awaitDevice asks whether the code was entered.
func (p *Page) awaitDevice(w http.ResponseWriter, state string) {
	l := p.under(state, false)
	if l.client == "" {
		goOn(w, "/", "This log-in has ended: go on to the status")
		return
	}
	var answer adminapi.LoginAnswer
	err := p.call(l.client, "/login", adminapi.LoginRequest{State: state}, &answer)
	if err == nil && answer.Result == nil {
		l.began.Interval = answer.Interval
		p.showCode(w, l.client, l.began)
		return
	}
	p.under(state, true)
	p.ended(l.client, answer, err)
	goOn(w, backTo(l.client), "Go on to the status")
}
