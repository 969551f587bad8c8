#!/bin/sh
# Before a removal the service is stopped, and an upgrade leaves it running: see
# postinstall.sh. dpkg says "remove", rpm that none is left.
set -e
case "$1" in
remove | 0) ;;
*) exit 0 ;;
esac
if [ -d /run/systemd/system ]; then
	systemctl disable --now lamplighter.service
fi
