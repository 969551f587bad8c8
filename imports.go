// Package lamplighter registers the Caddy modules, directives and commands of
// Lamplighter. Import it for its side effects, as xcaddy does.
package lamplighter

import (
	_ "lamplighter/caddyfile"
	_ "lamplighter/module"
	_ "lamplighter/module/admin"
	_ "lamplighter/module/command"
	_ "lamplighter/module/demo"
	_ "lamplighter/module/guard"
	_ "lamplighter/module/proxy"
	_ "lamplighter/module/serve"
	_ "lamplighter/module/store/kubernetes"
	_ "lamplighter/module/store/postgres"
	_ "lamplighter/module/store/redis"
)
