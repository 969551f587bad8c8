package client_test

import (
	"net/http"
	"sync"
	"testing"

	"lamplighter/module/moduletest"
)

func TestConcurrentRequestsAtAColdStartMakeOneTokenRequest(t *testing.T) {
	as := moduletest.NewRotating(t)
	s := moduletest.NewSidecar(t, as)
	release := make(chan struct{})
	as.Answer = func(http.ResponseWriter) bool { <-release; return false }
	s.Load(s.Config("", ""))
	var wg sync.WaitGroup
	for range 50 {
		wg.Go(func() {
			if res, body := s.Do("GET", "/", ""); res.StatusCode != 200 {
				t.Errorf("got %d %s", res.StatusCode, body)
			}
		})
	}
	close(release)
	wg.Wait()
	if requests, _, unauthorized := as.Count(); requests != 1 || unauthorized != 0 {
		t.Errorf("%d token requests, %d unauthorized", requests, unauthorized)
	}
}
