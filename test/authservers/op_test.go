package authservers

import (
	"context"
	"crypto/rand"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/zitadel/oidc/v3/example/server/storage"
	"github.com/zitadel/oidc/v3/pkg/oidc"
	"github.com/zitadel/oidc/v3/pkg/op"
)

// startOP starts zitadel/oidc's OpenID provider, the library of ZITADEL, with the
// storage of its own example.
func startOP(t *testing.T) *server {
	t.Helper()
	listening := httptest.NewUnstartedServer(nil)
	issuer := "http://" + listening.Listener.Addr().String()
	storage.RegisterClients(storage.WebClient(clientID, clientSecret, redirectURI, "http://127.0.0.1/callback", "http://127.0.0.1/"))
	users := storage.NewUserStore(issuer)
	store := &opStorage{storage.NewStorage(users)}
	config := &op.Config{GrantTypeRefreshToken: true, CodeMethodS256: true}
	_, _ = rand.Read(config.CryptoKey[:])
	provider, err := op.NewProvider(config, store, op.StaticIssuer(issuer), op.WithAllowInsecure())
	if err != nil {
		t.Fatal(err)
	}
	mux := http.NewServeMux()
	mux.Handle("/", provider)
	callback := op.AuthCallbackURL(provider)
	mux.Handle("/login/username", op.NewIssuerInterceptor(provider.IssuerFromRequest).HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		id := r.URL.Query().Get("authRequestID")
		if err := store.CheckUsernamePassword("test-user@127.0.0.1", "verysecure", id); err != nil {
			http.Error(w, err.Error(), http.StatusForbidden)
			return
		}
		http.Redirect(w, r, callback(r.Context(), id), http.StatusFound)
	}))
	mux.HandleFunc("/orders", func(w http.ResponseWriter, r *http.Request) {
		bearer, _ := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
		text, err := provider.Crypto().Decrypt(bearer)
		id, subject, _ := strings.Cut(text, ":")
		if err != nil || store.SetUserinfoFromToken(r.Context(), new(oidc.UserInfo), id, subject, "") != nil {
			w.Header().Set("WWW-Authenticate", `Bearer error="invalid_token"`)
			http.Error(w, "no valid token", http.StatusUnauthorized)
			return
		}
		_, _ = w.Write([]byte(`{"orders":[]}`))
	})
	mux.HandleFunc("/_test/revoke", func(w http.ResponseWriter, r *http.Request) {
		if err := store.TerminateSession(r.Context(), "id1", clientID); err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
		}
	})
	listening.Config.Handler = mux
	listening.Start()
	t.Cleanup(listening.Close)
	return &server{
		Issuer: issuer, AuthorizationEndpoint: issuer + "/authorize", TokenEndpoint: issuer + "/oauth/token", API: issuer, Origin: issuer,
		asks: "openid offline_access", way: newWay(t, issuer+"/oauth/token"),
	}
}

// opStorage lets access tokens live as briefly as the other servers do.
type opStorage struct{ *storage.Storage }

func (s *opStorage) CreateAccessAndRefreshTokens(ctx context.Context, request op.TokenRequest, current string) (access, refresh string, expires time.Time, err error) {
	access, refresh, _, err = s.Storage.CreateAccessAndRefreshTokens(ctx, request, current)
	return access, refresh, time.Now().Add(lifetime * time.Second), err
}

func (s *opStorage) GetClientByClientID(ctx context.Context, id string) (op.Client, error) {
	client, err := s.Storage.GetClientByClientID(ctx, id)
	return nativeClient{client}, err
}

// nativeClient may listen at any port of the loopback address (RFC 8252 section 7.3).
type nativeClient struct{ op.Client }

func (nativeClient) ApplicationType() op.ApplicationType { return op.ApplicationTypeNative }
