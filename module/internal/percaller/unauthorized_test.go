package percaller

import (
	"testing"
	"testing/synctest"
	"time"

	"lamplighter/module/internal/keeper"
	"lamplighter/module/internal/tokenendpoint"
)

func down(string) tokenendpoint.Answer {
	return tokenendpoint.Answer{Outcome: tokenendpoint.Unavailable, Cause: tokenendpoint.CauseServerError, Detail: "status 502", Status: 502}
}

// Fault C1.
func TestA401WhileTheTokenEndpointFailsIsNoReasonToAskAgainAndAgain(t *testing.T) {
	for name, answer := range map[string]func(string) tokenendpoint.Answer{
		"down": down,
		"no answer": func(string) tokenendpoint.Answer {
			return tokenendpoint.Answer{Outcome: tokenendpoint.Unanswered, Cause: tokenendpoint.CauseNoAnswer}
		},
		"unreachable": func(string) tokenendpoint.Answer {
			return tokenendpoint.Answer{Outcome: tokenendpoint.NotSent, Cause: tokenendpoint.CauseUnreachable}
		},
		"client refused": func(string) tokenendpoint.Answer {
			return tokenendpoint.Answer{Outcome: tokenendpoint.Misconfigured, Cause: "invalid_client", Status: 401}
		},
		"a panic": func(string) tokenendpoint.Answer { panic("s3cret") },
		"a token that expired under way": func(string) tokenendpoint.Answer {
			return tokenendpoint.Answer{Outcome: tokenendpoint.Granted, AccessToken: "late", ExpiresIn: time.Millisecond}
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c, s := New(), newEndpoint()
				used := s.token(t, c, "erika")
				s.answer = answer
				replays := 0
				for range 100 {
					if c.Unauthorized(t.Context(), wait, s.exchange("erika"), used) != keeper.Final {
						replays++
					}
					if s.token(t, c, "erika") != used {
						t.Fatal("another token")
					}
				}
				s.wantAsked(t, 2)
				if replays != 0 {
					t.Errorf("%d requests were sent again with the same token", replays)
				}
				time.Sleep(renewPause)
				for range 100 {
					_ = c.Unauthorized(t.Context(), wait, s.exchange("erika"), used)
				}
				s.wantAsked(t, 3)
			})
		})
	}
}

// Fault C1: an upstream that answers 401 to every token costs fewer and fewer
// exchanges, and a token that dies later than its first moments is still replaced.
func TestAnUpstreamThatRefusesEveryTokenCostsFewerAndFewerExchanges(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, s := New(), newEndpoint()
		renewed := 0
		for range 30 * 60 {
			if c.Unauthorized(t.Context(), wait, s.exchange("erika"), s.token(t, c, "erika")) == keeper.Renewed {
				renewed++
			}
			time.Sleep(time.Second)
		}
		if renewed < 2 || renewed > 8 {
			t.Errorf("%d exchanges in half an hour", renewed)
		}
	})
}

func TestARequestWhoseTokenExpiredUnderWayIsSentAgainWithAnother(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, s := New(), newEndpoint()
		used := s.token(t, c, "erika")
		time.Sleep(time.Hour)
		if v := c.Unauthorized(t.Context(), wait, s.exchange("erika"), used); v != keeper.Renewed {
			t.Errorf("verdict %v, want Renewed", v)
		}
		if s.token(t, c, "erika") == used {
			t.Error("the old token is still served")
		}
		s.wantAsked(t, 2)
	})
}

func TestASubjectTokenThatIsRefusedLaterEndsItsAccessToken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, s := New(), newEndpoint()
		used := s.token(t, c, "erika")
		s.answer = refused
		if v := c.Unauthorized(t.Context(), wait, s.exchange("erika"), used); v != keeper.Final {
			t.Errorf("verdict %v, want Final", v)
		}
		for range 10 {
			if _, err := c.Token(t.Context(), wait, s.exchange("erika")); err == nil {
				t.Fatal("a token is served")
			}
		}
		s.wantAsked(t, 2)
	})
}

func refused(string) tokenendpoint.Answer {
	return tokenendpoint.Answer{Outcome: tokenendpoint.Refused, Cause: "invalid_grant", Status: 400}
}
