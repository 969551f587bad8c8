package guard

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"time"

	"go.uber.org/zap"

	"lamplighter/module/cause"
	"lamplighter/module/internal/redact"
	"lamplighter/module/observe"
	"lamplighter/module/placeholder"
	"lamplighter/module/problem"
)

// callerSecret is what callers must bring. A nil one asks for nothing.
type callerSecret struct {
	setting string
	where   placeholder.Where
	current atomic.Pointer[resolvedSecret]
}

// resolvedSecret is a secret as it was read at some time, or why it was not.
type resolvedSecret struct {
	at     time.Time
	hash   [sha256.Size]byte
	length int
	err    error
}

// secretFreshness is how long a secret is used before its file is read again.
const secretFreshness = time.Second

func (g *Guard) compileSecret() error {
	if g.CallerSecret == "" {
		return nil
	}
	g.secret = &callerSecret{setting: g.CallerSecret, where: g.where()}
	if placeholder.IsLiteral(g.CallerSecret) {
		g.logger.Warn(placeholder.LiteralWarning("caller_secret"), g.where().Fields()...)
	}
	secret := g.secret.resolved()
	if secret.err == nil && secret.length > 0 && secret.length < leastSecret {
		g.logger.Warn(fmt.Sprintf("caller_secret has fewer than %d characters, so that it can be guessed: make one with 'openssl rand -hex 32'", leastSecret), g.where().Fields()...)
	}
	return secret.err
}

// leastSecret is the length below which a secret is warned of: 64 bits in hexadecimal digits.
const leastSecret = 16

func (s *callerSecret) resolved() *resolvedSecret {
	now := time.Now()
	if current := s.current.Load(); current != nil && now.Sub(current.at) < secretFreshness {
		return current
	}
	r := placeholder.Resolver{Where: s.where}
	value := r.Value("caller_secret", s.setting)
	redact.Remember(value)
	fresh := &resolvedSecret{at: now, hash: sha256.Sum256([]byte(value)), length: len(value), err: r.Err}
	s.current.Store(fresh)
	return fresh
}

// read returns the secret, or why nobody can be recognised.
func (s *callerSecret) read(log *observe.Refusals) (*resolvedSecret, *problem.Problem) {
	secret := s.resolved()
	if secret.err != nil {
		log.Log(zap.ErrorLevel, "caller_secret_unreadable", "the secret of callers cannot be read", zap.String("error", redact.Text(secret.err.Error())))
		return nil, problem.Refused(http.StatusServiceUnavailable, cause.Of("caller_secret_unreadable"))
	}
	return secret, nil
}

// refusal says why a request is refused, nil if it brings the secret. The secret
// is taken out of the request, so that nothing behind passes it on.
func (s *callerSecret) refusal(r *http.Request, log *observe.Refusals) *problem.Problem {
	if s == nil {
		return nil
	}
	secret, p := s.read(log)
	if p != nil {
		return p
	}
	if secret.takeOut(r.Header) {
		r.Header.Del("Proxy-Authorization")
		return nil
	}
	return problem.Refused(http.StatusForbidden, cause.Of("caller_unknown"))
}

// takeOut takes the secret out of the headers of a request that are for credentials, and reports
// whether its caller is known by that. It is nobody's token, and is taken out where it stands
// behind a scheme, too, by which nobody is known.
func (s *resolvedSecret) takeOut(h http.Header) (known bool) {
	for _, name := range []string{"Proxy-Authorization", "Authorization"} {
		for _, value := range h.Values(name) {
			brings := s.is(brought(value))
			if brings || s.is(value[strings.LastIndexAny(value, " \t")+1:]) {
				h.Del(name)
			}
			known = known || brings
		}
	}
	return known
}

// is compares a value in constant time.
func (s *resolvedSecret) is(value string) bool {
	hash := sha256.Sum256([]byte(value))
	return subtle.ConstantTimeCompare(hash[:], s.hash[:]) == 1
}

// brought returns the secret in the value of a header: the token of Bearer, or
// the password of Basic.
func brought(value string) string {
	scheme, rest, _ := strings.Cut(strings.TrimSpace(value), " ")
	rest = strings.TrimSpace(rest)
	switch {
	case strings.EqualFold(scheme, "Bearer"):
		return rest
	case strings.EqualFold(scheme, "Basic"):
		if decoded, err := base64.StdEncoding.DecodeString(rest); err == nil {
			_, password, _ := strings.Cut(string(decoded), ":")
			return password
		}
	}
	return ""
}
