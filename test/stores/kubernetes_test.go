package stores

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"lamplighter/module/store"
	"lamplighter/module/store/kubernetes"
	"lamplighter/module/store/storetest"
	"lamplighter/test/internal/apiserver"
	"lamplighter/test/internal/rig"
)

// cluster is an API server, and namespaces in it in which a service account has rights.
type cluster struct {
	*apiserver.Server
	mu     sync.Mutex
	made   map[string]bool
	making sync.Mutex
}

// once reports whether something is done for the first time.
func (c *cluster) once(what string) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	done := c.made[what]
	c.made[what] = true
	return !done
}

// namespace is one of the test's own, with a Role of these rules for the account.
func (c *cluster) namespace(t testing.TB, rules string) string {
	t.Helper()
	ns := nameSpace(t)
	if !c.once(ns) {
		return ns
	}
	c.Namespace(t, ns)
	if rules != "" {
		c.Apply(t, ns, fmt.Sprintf(`apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: {name: lamplighter}
rules:
%s---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: lamplighter}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: lamplighter}
subjects: [{kind: ServiceAccount, name: lamplighter, namespace: %s}]
`, rules, ns))
	}
	return ns
}

// rulesOf lets the account do that with all Secrets and Leases.
func rulesOf(verbs string) string {
	return fmt.Sprintf("  - {apiGroups: [\"\"], resources: [secrets], verbs: [%[1]s]}\n  - {apiGroups: [coordination.k8s.io], resources: [leases], verbs: [%[1]s]}\n", verbs)
}

const (
	allVerbs   = "get, list, watch, patch, create"
	namedVerbs = "get, list, watch, patch"
)

// engine returns an engine for a namespace, as its account.
func (c *cluster) engine(t testing.TB, ns string, lines ...string) store.Engine {
	t.Helper()
	return c.engineAs(t, ns, c.Account(t, ns, "lamplighter"), lines...)
}

// engineAs returns one with the token of a file. Later lines stand for earlier ones.
func (c *cluster) engineAs(t testing.TB, ns, token string, lines ...string) store.Engine {
	t.Helper()
	return engineOf(t, new(kubernetes.Kubernetes), "kubernetes", append([]string{
		"namespace " + ns, "api " + c.URL, "ca_file " + c.CAFile, "token_file " + token,
	}, lines...)...)
}

// allowed opens an engine, once its rights have spread.
func allowed(t testing.TB, e store.Engine) store.Engine {
	t.Helper()
	var err error
	rig.Eventually(t, "the store opens", func() bool { err = e.Open(t.Context()); return err == nil || !errors.Is(err, store.ErrRefused) })
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func TestKubernetes(t *testing.T) {
	began := time.Now()
	c := &cluster{Server: apiserver.Start(t), made: make(map[string]bool)}
	t.Logf("the API server was ready after %s", time.Since(began).Round(time.Millisecond))
	for name, test := range map[string]func(*cluster, *testing.T){
		"KeepsTheContract":                         (*cluster).contract,
		"KeepsTheContractWithNamedObjects":         (*cluster).namedContract,
		"NeedsNoMoreThanWhatItsErrorsGrant":        (*cluster).grants,
		"NeedsNoMoreThanNamedObjectsInTheRole":     (*cluster).namedGrants,
		"LeavesWhatOthersWroteAtItsObjects":        (*cluster).leaves,
		"TakesUpAnotherAuthority":                  (*cluster).recertified,
		"IsWhatTheExamplesSetUp":                   (*cluster).examples,
		"IsWhatTheChartSetsUp":                     (*cluster).chart,
		"TellsTheTruth":                            (*cluster).truth,
		"KeepsItsLease":                            (*cluster).leases,
		"NoticesSilence":                           (*cluster).silence,
		"ReadsAnotherTokenWhenItsOwnIsRefused":     (*cluster).tokens,
		"SaysThatTheStoreIsFullOfWhatIsTooLarge":   (*cluster).tooLarge,
		"KeepsAWatchWhenTheAPIServerGoesInOrder":   (*cluster).restarts,
		"HasAnotherEpochWhenEtcdIsRestored":        (*cluster).restored,
		"ReadsThePodsNamespaceThatDoesNotExistYet": (*cluster).noNamespace,
	} {
		t.Run(name, func(t *testing.T) { test(c, t) })
	}
}

// cut ends all connections.
func (c *cluster) cut(*testing.T) {
	c.StopAPI(true)
	c.StartAPI()
}

func (c *cluster) contract(t *testing.T) {
	storetest.Run(t, func(t *testing.T) store.Engine {
		return c.engine(t, c.namespace(t, rulesOf(allVerbs)))
	}, storetest.Cut(c.cut))
}

// making is an engine whose objects are made, empty, before they are written.
type making struct {
	store.Engine
	make func(kind, name string)
}

func (m *making) Put(ctx context.Context, name string, data []byte, ifTag store.Tag) (store.Tag, error) {
	m.make("Secret", name)
	return m.Engine.Put(ctx, name, data, ifTag)
}

func (m *making) Acquire(ctx context.Context, name, holder string, over store.Tag) (store.Lease, store.Held, error) {
	m.make("Lease", name)
	return m.Engine.Acquire(ctx, name, holder, over)
}

func (c *cluster) namedContract(t *testing.T) {
	storetest.Run(t, func(t *testing.T) store.Engine {
		ns := c.namespace(t, rulesOf(namedVerbs))
		e := c.engine(t, ns, "objects named")
		c.empty(t, ns, "Secret", "lamplighter-claims.all")
		return &making{e, func(kind, name string) {
			// "Secret x in namespace …", or "key ab of Secret x in namespace …"
			words := strings.Fields(e.Describe(name))
			for i, word := range words {
				if word == "Secret" {
					c.empty(t, ns, kind, words[i+1])
				}
			}
		}}
	}, storetest.Cut(c.cut))
}

// empty makes an object without anything in it.
func (c *cluster) empty(t testing.TB, ns, kind, object string) {
	c.making.Lock() // who comes second finds it made
	defer c.making.Unlock()
	if !c.once(ns + kind + object) {
		return
	}
	path := "/api/v1/namespaces/" + ns + "/secrets"
	if kind == "Lease" {
		path = "/apis/coordination.k8s.io/v1/namespaces/" + ns + "/leases"
	}
	c.Do(t, http.MethodPost, path, apiserver.Object{"metadata": apiserver.Object{"name": object}})
}

// grantedBy is what an error gives to kubectl apply.
func grantedBy(t *testing.T, err error) string {
	t.Helper()
	_, manifest, found := strings.Cut(err.Error(), "kubectl apply -f -")
	if start := strings.Index(manifest, "{"); found && start >= 0 {
		return manifest[start:]
	}
	t.Fatalf("it says nothing to apply: %v", err)
	return ""
}

// use does everything that an engine is for.
func use(ctx context.Context, e store.Engine, name string) error {
	if err := e.Open(ctx); err != nil {
		return fmt.Errorf("open: %w", err)
	}
	var tag store.Tag
	switch o, err := e.Get(ctx, name); {
	case err == nil:
		tag = o.Tag
	case !errors.Is(err, store.ErrNotFound):
		return fmt.Errorf("get: %w", err)
	}
	if _, err := e.Put(ctx, name, []byte("x"), tag); err != nil {
		return fmt.Errorf("put: %w", err)
	}
	for _, data := range []bool{true, false} {
		if err := e.List(ctx, []string{name}, data, func(store.Object) bool { return true }); err != nil {
			return fmt.Errorf("list: %w", err)
		}
	}
	lease, _, err := e.Acquire(ctx, name, "holder", "")
	if err == nil && lease != nil {
		err = errors.Join(lease.Renew(ctx), lease.Release(ctx))
	}
	if err != nil {
		return fmt.Errorf("lease: %w", err)
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	if err := e.Watch(ctx, []string{name, store.ClaimsName("ab")}, cancel, func(string) {}); !errors.Is(err, context.Canceled) {
		return fmt.Errorf("watch: %w", err)
	}
	return nil
}

// grantUntilItWorks applies what errors say, and returns how often that was needed.
func (c *cluster) grantUntilItWorks(t *testing.T, ns string, e store.Engine) (applied []string) {
	t.Helper()
	rig.Eventually(t, "the rights are enough", func() bool {
		err := use(t.Context(), e, "client.one")
		if err == nil {
			return true
		}
		if !errors.Is(err, store.ErrRefused) {
			t.Fatal(err)
		}
		if what := grantedBy(t, err); len(applied) == 0 || applied[len(applied)-1] != what {
			c.Apply(t, ns, what)
			applied = append(applied, what)
		}
		return false
	})
	return applied
}

func (c *cluster) grants(t *testing.T) {
	ns := c.namespace(t, "")
	e := c.engine(t, ns)
	err := e.Open(t.Context())
	if !errors.Is(err, store.ErrRefused) {
		t.Fatalf("without any right: %v", err)
	}
	if len(err.Error()) > 2000 || strings.Contains(err.Error(), "\n") {
		t.Errorf("said %v", err)
	}
	if applied := c.grantUntilItWorks(t, ns, e); len(applied) != 1 {
		t.Errorf("it takes %q", applied)
	}
}

func (c *cluster) namedGrants(t *testing.T) {
	ns := c.namespace(t, "")
	e := c.engine(t, ns, "objects named")
	applied := c.grantUntilItWorks(t, ns, e)
	t.Logf("applied %d times", len(applied))
	role := c.Do(t, http.MethodGet, "/apis/rbac.authorization.k8s.io/v1/namespaces/"+ns+"/roles/lamplighter", nil)
	for _, r := range role["rules"].([]any) {
		r := r.(map[string]any)
		if names, _ := r["resourceNames"].([]any); len(names) == 0 || strings.Contains(fmt.Sprint(r["verbs"]), "create") {
			t.Errorf("it was granted %v", r)
		}
	}
	if _, err := e.Put(t.Context(), "another", []byte("x"), ""); !errors.Is(err, store.ErrRefused) {
		t.Errorf("an object that is not named in the Role: %v", err)
	}
}

func (c *cluster) leaves(t *testing.T) {
	ns := c.namespace(t, rulesOf(allVerbs))
	for path, object := range map[string]apiserver.Object{
		"/api/v1/namespaces/" + ns + "/secrets":                     {},
		"/apis/coordination.k8s.io/v1/namespaces/" + ns + "/leases": {},
	} {
		object["metadata"] = apiserver.Object{
			"name":   "lamplighter-client",
			"labels": apiserver.Object{"app.kubernetes.io/managed-by": "Helm"}, "annotations": apiserver.Object{"meta.helm.sh/release-name": "erp"},
		}
		c.Do(t, http.MethodPost, path, object)
	}
	e := allowed(t, c.engine(t, ns))
	for range 2 {
		if err := use(t.Context(), e, "client"); err != nil {
			t.Fatal(err)
		}
	}
	for _, path := range []string{"/api/v1/namespaces/" + ns + "/secrets/", "/apis/coordination.k8s.io/v1/namespaces/" + ns + "/leases/"} {
		meta := c.Do(t, http.MethodGet, path+"lamplighter-client", nil)["metadata"].(map[string]any)
		if labels, notes := fmt.Sprint(meta["labels"]), fmt.Sprint(meta["annotations"]); !strings.Contains(labels, "managed-by:Helm") || !strings.Contains(notes, "release-name:erp") {
			t.Errorf("of what was there is left: %s, %s", labels, notes)
		}
	}
}

func (c *cluster) tokens(t *testing.T) {
	ns := c.namespace(t, rulesOf(allVerbs))
	file := c.Account(t, ns, "lamplighter")
	good, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	e := allowed(t, c.engineAs(t, ns, file))
	if err := os.WriteFile(file, []byte("a-token-that-nobody-issued"), 0o600); err != nil {
		t.Fatal(err)
	}
	e2 := c.engineAs(t, ns, file)
	if err := e2.Open(t.Context()); !errors.Is(err, store.ErrRefused) || strings.Contains(err.Error(), "nobody-issued") {
		t.Errorf("another token: %v", err)
	}
	if err := os.WriteFile(file, good, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, e := range []store.Engine{e, e2} {
		if err := use(t.Context(), e, "client"); err != nil {
			t.Error(err)
		}
	}
}

func (c *cluster) tooLarge(t *testing.T) {
	e := allowed(t, c.engine(t, c.namespace(t, rulesOf(allVerbs))))
	tag, err := e.Put(t.Context(), "client", []byte("x"), "")
	if err != nil {
		t.Fatal(err)
	}
	for _, size := range []int{1100 << 10, 3 << 20} {
		if _, err := e.Put(t.Context(), "client", make([]byte, size), tag); !errors.Is(err, store.ErrFull) {
			t.Errorf("%d bytes: %v", size, err)
		}
		if _, err := e.Put(t.Context(), "other", make([]byte, size), ""); !errors.Is(err, store.ErrFull) {
			t.Errorf("%d bytes anew: %v", size, err)
		}
	}
	if o, err := e.Get(t.Context(), "client"); err != nil || o.Tag != tag {
		t.Errorf("it is of tag %s: %v", o.Tag, err)
	}
}

func (c *cluster) noNamespace(t *testing.T) {
	e := c.engine(t, c.namespace(t, rulesOf(allVerbs)), "namespace nobody-made-this")
	if err := e.Open(t.Context()); !errors.Is(err, store.ErrRefused) {
		t.Error(err)
	}
}

func (c *cluster) restored(t *testing.T) {
	ns := c.namespace(t, rulesOf(allVerbs))
	a, b := allowed(t, c.engine(t, ns)), allowed(t, c.engine(t, ns))
	first, err := a.Put(t.Context(), "client", []byte("one"), "")
	if err != nil {
		t.Fatal(err)
	}
	restore, before := c.Snapshot(t), a.Epoch()
	second, err := a.Put(t.Context(), "client", []byte("two"), first)
	if err != nil {
		t.Fatal(err)
	}
	for i := range 50 { // until versions come again
		if _, err := b.Put(t.Context(), fmt.Sprintf("client-%d", i), []byte("x"), ""); err != nil {
			t.Fatal(err)
		}
	}
	if a.Epoch() != before || b.Epoch() != before || before == "" {
		t.Errorf("the epoch was %q, and is %q and %q", before, a.Epoch(), b.Epoch())
	}
	restore()
	if _, err := a.Put(t.Context(), "client", []byte("three"), second); !errors.Is(err, store.ErrConflict) {
		t.Errorf("a write over one that is lost: %v", err)
	}
	for _, e := range []store.Engine{b, a, b} {
		if err := e.List(t.Context(), []string{"client"}, false, func(store.Object) bool { return true }); err != nil {
			t.Fatal(err)
		}
	}
	if a.Epoch() != b.Epoch() || a.Epoch() == before || a.Epoch() == "" {
		t.Errorf("the epoch was %q, and is %q and %q", before, a.Epoch(), b.Epoch())
	}
	if fresh := opened(t, c.engine(t, ns)); fresh.Epoch() != a.Epoch() {
		t.Errorf("who comes later has the epoch %q", fresh.Epoch())
	}
}

func (c *cluster) restarts(t *testing.T) {
	e := allowed(t, c.engine(t, c.namespace(t, rulesOf(allVerbs))))
	w := watch(t, e, "client")
	c.StopAPI(false)
	c.StartAPI()
	select {
	case err := <-w.ended: // it had to wait for the API server: who watches begins anew
		if !errors.Is(err, store.ErrUnavailable) {
			t.Errorf("it ended with %v", err)
		}
		w = watch(t, e, "client")
	case <-time.After(2 * time.Second):
	}
	if _, err := e.Put(t.Context(), "client", []byte("x"), ""); err != nil {
		t.Fatal(err)
	}
	w.tells(t, "client")
}

// recertified: the API server gets a certificate of another authority, whose own is in the
// file by then.
func (c *cluster) recertified(t *testing.T) {
	e := allowed(t, c.engine(t, c.namespace(t, rulesOf(allVerbs))))
	if err := use(t.Context(), e, "client"); err != nil {
		t.Fatal(err)
	}
	c.Recertify(t)
	rig.Eventually(t, "the new authority is trusted", func() bool {
		err := use(t.Context(), e, "client")
		if err != nil && !errors.Is(err, store.ErrUnavailable) && !errors.Is(err, store.ErrUnknown) {
			t.Fatal(err)
		}
		return err == nil
	})
}

// watching is a Watch under way.
type watching struct {
	ready   chan struct{}
	changed chan string
	ended   chan error
}

func watch(t *testing.T, e store.Engine, names ...string) *watching {
	t.Helper()
	w := &watching{make(chan struct{}, 100), make(chan string, 1000), make(chan error, 1)}
	go func() {
		w.ended <- e.Watch(t.Context(), names, func() { w.ready <- struct{}{} }, func(name string) { w.changed <- name })
	}()
	w.isReady(t)
	return w
}

func (w *watching) isReady(t *testing.T) {
	t.Helper()
	select {
	case <-w.ready:
	case err := <-w.ended:
		t.Fatal(err)
	case <-time.After(rig.Patience):
		t.Fatal("changes are not seen")
	}
}

func (w *watching) tells(t *testing.T, name string) {
	t.Helper()
	over := time.After(rig.Patience)
	for {
		select {
		case got := <-w.changed:
			if got == name {
				return
			}
		case err := <-w.ended:
			t.Fatal(err)
		case <-over:
			t.Fatal("nothing is told")
		}
	}
}
