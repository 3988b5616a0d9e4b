// What `fermatad config default` prints. A test reads it back: it must say what Settings has.
#include "cri/settings.h"

namespace fermata::cri {
namespace {

constexpr std::string_view kText =
    R"toml(# /etc/fermata/fermatad.toml: settings of fermatad, the Container Runtime Interface of Fermata.
# Every setting is shown with its default. `fermatad config check` says what is wrong with this file.
# SIGHUP (systemctl reload fermatad) takes over changes of [log], [registries] and [cni]; others need a restart,
# which no pod notices.

# Where kubelet (--container-runtime-endpoint) and crictl reach the daemon, and who may: whoever can write to the
# socket is root on this node.
listen = "/run/fermata/fermatad.sock"
socket_mode = "0660"
socket_gid = 0

# What is kept, and what lives until the next boot. The fermata command line shares both.
root = "/var/lib/fermata"
run_root = "/run/fermata"

# "cgroupfs" or "systemd": who makes the control groups of pods. A kubelet asks for it and does the same.
cgroup_manager = "cgroupfs"

# The image of the pods' infra container; "": the pause that is built in, which needs no image.
infra_image = ""

# Where Container Device Interface specifications are looked for; the last directory wins.
cdi_dirs = ["/etc/cdi", "/var/run/cdi"]

# For how many seconds sizes of file systems that were measured are told again.
stats_period = 10

[log]
level = "info"   # "debug", "info", "warning", "error"
format = "text"  # "text", "json"

# The server of exec, attach and port-forward. Another address than loopback needs a kubelet that is told so.
[streaming]
address = "127.0.0.1"
port = 0          # 0: one that is free
certificate = ""  # PEM files; with both it speaks HTTPS
key = ""
idle_timeout = 14400  # seconds

# Networks of the Container Network Interface. As long as conf_dir holds none, the built-in network serves.
[cni]
conf_dir = "/etc/cni/net.d"
bin_dirs = ["/opt/cni/bin", "/usr/lib/cni"]

# Mirrors, plain HTTP and certificates of registries: a registries.conf, and directories with one directory for each
# registry, with a hosts.toml or with ca.crt, client.cert and client.key in it. The first that knows a registry counts.
[registries]
conf = "/etc/containers/registries.conf"
hosts_dirs = ["/etc/fermata/certs.d", "/etc/containerd/certs.d", "/etc/containers/certs.d", "/etc/docker/certs.d"]

# Metrics of the engine for Prometheus, over HTTP at /metrics; "": none. Such as "127.0.0.1:9889".
[metrics]
address = ""

# Handlers for RuntimeClass beside "fermata": any OCI runtime.
# [runtimes.runc]
# path = "/usr/sbin/runc"
)toml";

}  // namespace

std::string_view default_settings_text() { return kText; }

}  // namespace fermata::cri
