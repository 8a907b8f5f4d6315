# shellcheck shell=sh
# $1 is the number of versions that are installed afterwards. Fedora's file triggers do the first two steps as well; other
# distributions have none.
systemd-sysusers echo-server.conf || :
if [ -d /run/systemd/system ]; then
    systemctl daemon-reload || :
fi
if [ "$1" -eq 1 ]; then
    # The preset of the distribution decides whether the service is enabled. Nothing is started.
    systemctl --no-reload preset echo-server.service || :
fi
