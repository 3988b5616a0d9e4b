// The schema, version by version. kMigrations[i] takes a database from version i to i+1 (PRAGMA
// user_version).
//
// JSON columns hold what only one layer reads; what is searched for has a column. Times are nanoseconds of
// CLOCK_REALTIME. `owner` is 'cli' or 'cri': a client of the one never sees the other's objects by default.
#pragma once

namespace fermata::state {

inline constexpr const char* kMigrations[] = {R"sql(
CREATE TABLE pods (
  id TEXT PRIMARY KEY,
  name TEXT NOT NULL,
  owner TEXT NOT NULL,
  created INTEGER NOT NULL,
  -- 1 once the sandbox (monitor, namespaces, network, files) was made whole for the present run; 0 before and after.
  ready INTEGER NOT NULL DEFAULT 0,
  config TEXT NOT NULL,          -- JSON: pod::PodConfig
  runtime TEXT NOT NULL DEFAULT '{}'  -- JSON: pod::PodRuntime of the present run
);
CREATE TABLE containers (
  id TEXT PRIMARY KEY,
  name TEXT NOT NULL,
  owner TEXT NOT NULL,
  pod TEXT NOT NULL REFERENCES pods(id),
  image TEXT NOT NULL,           -- image id, '' for the built-in pause
  created INTEGER NOT NULL,
  state TEXT NOT NULL,           -- creating, created, running, exited, removing
  config TEXT NOT NULL,          -- JSON: pod::ContainerConfig
  runtime TEXT NOT NULL DEFAULT '{}'
);
CREATE UNIQUE INDEX container_names ON containers(owner, name);
CREATE INDEX container_pods ON containers(pod);
CREATE TABLE volumes (
  name TEXT PRIMARY KEY,
  owner TEXT NOT NULL,
  created INTEGER NOT NULL,
  anonymous INTEGER NOT NULL,
  container TEXT                 -- of an anonymous volume: the container that it was made for
);
CREATE TABLE intents (
  id INTEGER PRIMARY KEY,
  kind TEXT NOT NULL,            -- create, remove, pull, unpack, ...
  object TEXT NOT NULL,
  detail TEXT NOT NULL DEFAULT '{}',
  pid INTEGER NOT NULL,          -- of the process that works on it, with its start time, to tell a dead one
  pid_start INTEGER NOT NULL
);
CREATE TABLE images (
  id TEXT PRIMARY KEY,           -- digest of the configuration, 'sha256:...'
  config TEXT NOT NULL,          -- the configuration's JSON, as it came
  manifest TEXT NOT NULL DEFAULT '',  -- digest of the manifest, '' if there was none
  layers TEXT NOT NULL,          -- JSON array of layer directory names, bottom first
  size INTEGER NOT NULL,         -- bytes of all layers unpacked
  created INTEGER NOT NULL       -- when it came here
);
CREATE TABLE image_names (
  name TEXT NOT NULL,            -- canonical: docker.io/library/nginx:latest
  owner TEXT NOT NULL,
  image TEXT NOT NULL REFERENCES images(id),
  digest TEXT NOT NULL DEFAULT '',  -- repository digest, 'sha256:...'
  PRIMARY KEY (name, owner)
);
CREATE TABLE layers (
  name TEXT PRIMARY KEY,         -- directory below layers/
  chain TEXT NOT NULL UNIQUE,    -- chain id, 'sha256:...'
  size INTEGER NOT NULL
);
CREATE TABLE leases (
  address TEXT PRIMARY KEY,      -- IPv4, dotted; the IPv6 address follows from it
  pod TEXT NOT NULL DEFAULT '',  -- '' once released
  ifindex INTEGER NOT NULL DEFAULT 0,  -- of the host's side; the lease ends when it is gone
  used INTEGER NOT NULL          -- when it was last taken or released: the longest unused goes first
);
CREATE TABLE ports (
  protocol TEXT NOT NULL,        -- tcp, udp, sctp
  host_ip TEXT NOT NULL,         -- '' for every address
  host_port INTEGER NOT NULL,
  container_port INTEGER NOT NULL,
  pod TEXT NOT NULL,
  PRIMARY KEY (protocol, host_ip, host_port)
);
CREATE TABLE network (
  key TEXT PRIMARY KEY,
  value TEXT NOT NULL
);
)sql",
                                              R"sql(
CREATE TABLE cni_attachments (   -- written before ADD, deleted after DEL: what DEL needs, whatever has changed meanwhile
  pod TEXT NOT NULL,
  interface TEXT NOT NULL,
  network TEXT NOT NULL,
  netns TEXT NOT NULL,           -- path of the pinned network namespace
  configuration TEXT NOT NULL,   -- JSON: the network's, as it was used
  arguments TEXT NOT NULL,       -- JSON: CNI_ARGS, pairs in their order
  capabilities TEXT NOT NULL,    -- JSON: capability arguments
  result TEXT NOT NULL DEFAULT '',  -- JSON: of ADD; '' until it has succeeded
  created INTEGER NOT NULL,
  PRIMARY KEY (pod, interface)
);
)sql",
                                              R"sql(
CREATE TABLE pod_revisions (     -- another number after each change of a pod's row or of its containers' rows
  pod TEXT PRIMARY KEY,
  number INTEGER NOT NULL
) WITHOUT ROWID;
INSERT INTO pod_revisions SELECT id, 0 FROM pods;
CREATE TRIGGER pod_made AFTER INSERT ON pods BEGIN
  INSERT INTO pod_revisions VALUES(NEW.id, 0);
END;
CREATE TRIGGER pod_changed AFTER UPDATE ON pods BEGIN
  UPDATE pod_revisions SET number=number+1 WHERE pod=NEW.id;
END;
CREATE TRIGGER pod_removed AFTER DELETE ON pods BEGIN
  DELETE FROM pod_revisions WHERE pod=OLD.id;
END;
CREATE TRIGGER container_made AFTER INSERT ON containers BEGIN
  UPDATE pod_revisions SET number=number+1 WHERE pod=NEW.pod;
END;
CREATE TRIGGER container_changed AFTER UPDATE ON containers BEGIN
  UPDATE pod_revisions SET number=number+1 WHERE pod=NEW.pod;
END;
CREATE TRIGGER container_removed AFTER DELETE ON containers BEGIN
  UPDATE pod_revisions SET number=number+1 WHERE pod=OLD.pod;
END;
)sql"};

}  // namespace fermata::state
