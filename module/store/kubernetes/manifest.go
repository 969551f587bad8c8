package kubernetes

import (
	"encoding/json"
	"regexp"
	"slices"
)

// manifest is an object for kubectl apply.
type manifest map[string]any

// place is where an object of that name is.
func (c *config) place(name string) manifest {
	at := manifest{"name": name}
	if namespace, err := c.space(); err == nil {
		at["namespace"] = namespace
	}
	return at
}

// empty is an object that is made for us: a Secret or a Lease.
func (c *config) empty(kind, object string) manifest {
	version := "v1"
	if kind == "Lease" {
		version = "coordination.k8s.io/v1"
	}
	return manifest{"apiVersion": version, "kind": kind, "metadata": c.place(object)}
}

// rights is the API group of Roles.
const rights = "rbac.authorization.k8s.io"

// role is the Role that a store needs for objects of these names.
func (c *config) role(names []string) manifest {
	verbs := []string{"get", "list", "watch", "patch"}
	if !c.named {
		verbs = append(verbs, "create")
	}
	secrets := manifest{"apiGroups": []string{""}, "resources": []string{"secrets"}, "verbs": verbs}
	leases := manifest{"apiGroups": []string{"coordination.k8s.io"}, "resources": []string{"leases"}, "verbs": verbs}
	rules := []manifest{secrets, leases}
	if c.named {
		objects := c.objects(names)
		secrets["resourceNames"] = append([]string{c.own()}, objects...)
		if leases["resourceNames"] = objects; len(objects) == 0 {
			rules = rules[:1] // without names it would grant all
		}
	}
	return manifest{"apiVersion": rights + "/v1", "kind": "Role", "metadata": c.place(c.roleName()), "rules": rules}
}

// objects are the names of the Secrets and Leases of clients.
func (c *config) objects(names []string) (objects []string) {
	for _, name := range names {
		if object := c.object(name); object != c.own() {
			objects = append(objects, object)
		}
	}
	slices.Sort(objects)
	return slices.Compact(objects)
}

// roleName is that of the Role: the prefix without what separates it from names.
func (c *config) roleName() string {
	return regexp.MustCompile(`[-.]$`).ReplaceAllString(c.prefix, "")
}

// Manifest is the Role for clients of these names and, with objects named, the Secrets and
// Leases that have to exist: JSON for kubectl apply.
func (s *Kubernetes) Manifest(clients []string) string {
	all := []manifest{s.conf.role(clients)}
	if s.conf.named {
		all = append(all, s.conf.empty("Secret", s.conf.own()))
		for _, object := range s.conf.objects(clients) {
			all = append(all, s.conf.empty("Secret", object), s.conf.empty("Lease", object))
		}
	}
	return list(all...)
}

// denied is how the API server names a service account to which it denies something.
var denied = regexp.MustCompile(`"system:serviceaccount:([a-z0-9-]{1,63}):([a-z0-9.-]{1,253})"`)

// grant is what gives whoever was refused the rights that the store needs, by all that
// was asked for so far.
func (e *engine) grant(refused string) string {
	role := e.conf.role(e.known())
	who := denied.FindStringSubmatch(refused)
	if who == nil {
		return list(role)
	}
	return list(role, manifest{
		"apiVersion": rights + "/v1", "kind": "RoleBinding", "metadata": role["metadata"],
		"roleRef":  manifest{"apiGroup": rights, "kind": "Role", "name": e.conf.roleName()},
		"subjects": []manifest{{"kind": "ServiceAccount", "namespace": who[1], "name": who[2]}},
	})
}

// list is one text of JSON, in one line.
func list(all ...manifest) string {
	m := manifest{"apiVersion": "v1", "kind": "List", "items": all}
	if len(all) == 1 {
		m = all[0]
	}
	b, err := json.Marshal(m)
	if err != nil {
		return err.Error() // there is nothing in it that could not be encoded
	}
	return string(b)
}
