#!/bin/sh
# The user of the service, before files are unpacked that its group may read. It stays
# when the package goes, because records are its own.
set -e
getent group lamplighter >/dev/null || groupadd --system lamplighter
getent passwd lamplighter >/dev/null ||
	useradd --system --gid lamplighter --home-dir /var/lib/lamplighter --no-create-home --shell /usr/sbin/nologin lamplighter
