package apiserver

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"sigs.k8s.io/yaml"

	"lamplighter/test/internal/rig"
)

// Object is any object of Kubernetes.
type Object map[string]any

// try asks as the administrator.
func (s *Server) try(method, path, typ string, body []byte) (int, []byte) {
	pem, err := os.ReadFile(s.CAFile)
	if err != nil {
		return 0, []byte(err.Error())
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(pem)
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}, DisableKeepAlives: true}
	req, err := http.NewRequest(method, s.URL+path, bytes.NewReader(body))
	if err != nil {
		return 0, []byte(err.Error())
	}
	req.Header.Set("Authorization", "Bearer "+adminToken)
	req.Header.Set("Content-Type", typ)
	res, err := (&http.Client{Transport: transport}).Do(req)
	if err != nil {
		return 0, []byte(err.Error())
	}
	defer res.Body.Close()
	answer, err := io.ReadAll(res.Body)
	if err != nil {
		return 0, []byte(err.Error())
	}
	return res.StatusCode, answer
}

// Do asks as the administrator, and fails unless that succeeds.
func (s *Server) Do(t testing.TB, method, path string, body any) Object {
	t.Helper()
	typ := "application/json"
	if method == http.MethodPatch {
		typ = "application/merge-patch+json"
	}
	b, err := json.Marshal(body)
	if err != nil {
		t.Fatal(err)
	}
	status, answer := s.try(method, path, typ, b)
	if status/100 != 2 {
		t.Fatalf("%s %s: %d %s", method, path, status, answer)
	}
	var o Object
	if err := json.Unmarshal(answer, &o); err != nil {
		t.Fatal(err)
	}
	return o
}

// Namespace makes a namespace.
func (s *Server) Namespace(t testing.TB, name string) {
	t.Helper()
	s.Do(t, http.MethodPost, "/api/v1/namespaces", Object{"metadata": Object{"name": name}})
}

// Account makes a service account, and returns a file with a token of it.
func (s *Server) Account(t testing.TB, namespace, name string) (file string) {
	t.Helper()
	accounts := "/api/v1/namespaces/" + namespace + "/serviceaccounts"
	if status, _ := s.try(http.MethodGet, accounts+"/"+name, "", nil); status == http.StatusNotFound {
		s.Do(t, http.MethodPost, accounts, Object{"metadata": Object{"name": name}})
	}
	return rig.Write(t, t.TempDir(), "token", s.Token(t, namespace, name)+"\n")
}

// Token returns a token of a service account, as it is projected into a pod.
func (s *Server) Token(t testing.TB, namespace, name string) string {
	t.Helper()
	review := s.Do(t, http.MethodPost, "/api/v1/namespaces/"+namespace+"/serviceaccounts/"+name+"/token", Object{"spec": Object{"expirationSeconds": 3600}})
	return review["status"].(map[string]any)["token"].(string)
}

// plurals are the resources of the kinds that can be applied.
var plurals = map[string]string{
	"Secret": "secrets", "ConfigMap": "configmaps", "ServiceAccount": "serviceaccounts", "Service": "services",
	"PersistentVolumeClaim": "persistentvolumeclaims", "Deployment": "deployments", "Lease": "leases",
	"Role": "roles", "RoleBinding": "rolebindings", "PodDisruptionBudget": "poddisruptionbudgets",
	"NetworkPolicy": "networkpolicies",
}

// Apply applies manifests, as kubectl apply --server-side does: an unknown field is an
// error. Those without a namespace get this one.
func (s *Server) Apply(t testing.TB, namespace, manifests string) {
	t.Helper()
	for text := range strings.SplitSeq(manifests, "\n---\n") {
		var o Object
		if err := yaml.Unmarshal([]byte(text), &o); err != nil {
			t.Fatalf("%v\n%s", err, text)
		}
		if items, ok := o["items"].([]any); ok && o["kind"] == "List" {
			for _, item := range items {
				s.apply(t, namespace, Object(item.(map[string]any)))
			}
			continue
		}
		if o != nil {
			s.apply(t, namespace, o)
		}
	}
}

func (s *Server) apply(t testing.TB, namespace string, o Object) {
	t.Helper()
	kind, _ := o["kind"].(string)
	version, _ := o["apiVersion"].(string)
	meta, _ := o["metadata"].(map[string]any)
	name, _ := meta["name"].(string)
	if own, ok := meta["namespace"].(string); ok {
		namespace = own
	}
	if plurals[kind] == "" || name == "" {
		t.Fatalf("what is this? %v", o)
	}
	group := "/api/"
	if strings.Contains(version, "/") {
		group = "/apis/"
	}
	path := fmt.Sprintf("%s%s/namespaces/%s/%s/%s", group, version, namespace, plurals[kind], name)
	b, err := json.Marshal(o)
	if err != nil {
		t.Fatal(err)
	}
	query := url.Values{"fieldManager": {"test"}, "force": {"true"}, "fieldValidation": {"Strict"}}
	status, answer := s.try(http.MethodPatch, path+"?"+query.Encode(), "application/apply-patch+yaml", b)
	if status/100 != 2 {
		t.Errorf("apply %s %s: %d %s", kind, name, status, answer)
	}
}

// Compact has etcd forget all versions but the newest.
func (s *Server) Compact(t testing.TB) {
	t.Helper()
	revision := s.etcdCall(t, "range", Object{"key": "AA=="})["header"].(map[string]any)["revision"]
	s.etcdCall(t, "compaction", Object{"revision": revision, "physical": true})
}

// etcdCall calls etcd by its JSON gateway.
func (s *Server) etcdCall(t testing.TB, method string, body Object) Object {
	t.Helper()
	b, err := json.Marshal(body)
	if err != nil {
		t.Fatal(err)
	}
	path := "/v3/kv/" + method
	res, err := http.Post(s.etcdURL+path, "application/json", bytes.NewReader(b))
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	var o Object
	if err := json.NewDecoder(res.Body).Decode(&o); err != nil || res.StatusCode != http.StatusOK {
		t.Fatalf("etcd answers %s: %d %v %v", filepath.Base(path), res.StatusCode, o, err)
	}
	return o
}
