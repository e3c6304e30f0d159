-- A database of schema 2 as it was released, with rows in every table: what the third step is tried on. Never changed.
PRAGMA application_id = 1279608658;
PRAGMA user_version = 2;
BEGIN TRANSACTION;
CREATE TABLE configuration_versions (
  configuration_id TEXT NOT NULL REFERENCES configurations(configuration_id) ON DELETE CASCADE,
  version INTEGER NOT NULL CHECK (version >= 1),
  content TEXT NOT NULL,
  created_at TEXT NOT NULL,
  PRIMARY KEY (configuration_id, version)
) STRICT;
INSERT INTO "configuration_versions" VALUES('g',1,'{}','2026-11-22T04:05:06Z');
CREATE TABLE configurations (
  configuration_id TEXT PRIMARY KEY NOT NULL,
  user_uuid TEXT NOT NULL REFERENCES users(user_uuid) ON DELETE CASCADE,
  schema_id TEXT NOT NULL REFERENCES schemas(schema_id),
  name TEXT NOT NULL,
  version INTEGER NOT NULL CHECK (version >= 1),
  created_at TEXT NOT NULL,
  updated_at TEXT NOT NULL,
  UNIQUE (user_uuid, name)
) STRICT;
INSERT INTO "configurations" VALUES('g','550e8400-e29b-41d4-a716-446655440000','c','site',1,'2026-11-22T04:05:06Z','2026-11-22T04:05:06Z');
CREATE TABLE data_keys (
  key_id INTEGER PRIMARY KEY NOT NULL CHECK (key_id BETWEEN 0 AND 4294967295),
  nonce BLOB NOT NULL CHECK (length(nonce) = 12),
  ciphertext BLOB NOT NULL CHECK (length(ciphertext) = 32),
  tag BLOB NOT NULL CHECK (length(tag) = 16),
  created_at TEXT NOT NULL
, purpose TEXT NOT NULL DEFAULT 'secrets' CHECK (purpose IN ('secrets', 'tokens'))) STRICT;
INSERT INTO "data_keys" VALUES(1,X'010101010101010101010101',X'1111111111111111111111111111111111111111111111111111111111111111',X'21212121212121212121212121212121','2026-11-22T04:05:06Z','secrets');
INSERT INTO "data_keys" VALUES(5,X'050505050505050505050505',X'1515151515151515151515151515151515151515151515151515151515151515',X'25252525252525252525252525252525','2026-11-22T04:05:06Z','secrets');
INSERT INTO "data_keys" VALUES(9,X'000000000000000000000000',X'0000000000000000000000000000000000000000000000000000000000000000',X'00000000000000000000000000000000','2026-11-22T04:05:06Z','tokens');
CREATE TABLE deployments (
  sequence INTEGER PRIMARY KEY AUTOINCREMENT,
  id TEXT NOT NULL UNIQUE,
  user_uuid TEXT NOT NULL REFERENCES users(user_uuid) ON DELETE CASCADE,
  name TEXT NOT NULL,
  version INTEGER NOT NULL,
  kind TEXT NOT NULL,
  state TEXT NOT NULL,
  created_at TEXT NOT NULL,
  finished_at TEXT,
  plan TEXT NOT NULL,
  error TEXT NOT NULL,
  journal TEXT NOT NULL,
  live INTEGER NOT NULL CHECK (live IN (0, 1))
) STRICT;
INSERT INTO "deployments" VALUES(4,'d4','550e8400-e29b-41d4-a716-446655440000','hello',2,'install','deployed','2026-11-22T04:05:06Z','2026-11-22T04:05:06Z','{}','','[]',1);
INSERT INTO "deployments" VALUES(5,'d5','550e8400-e29b-41d4-a716-446655440000','web',2,'install','deployed','2026-11-22T04:05:06Z','2026-11-22T04:05:06Z','{}','','{"units":[],"secrets":{"test_key":1,"old":4},"networks":[],"volumes":[],"folder_identity":7,"replaces":""}',0);
INSERT INTO "deployments" VALUES(6,'d6','550e8400-e29b-41d4-a716-446655440000','web',2,'install','deployed','2026-11-22T04:05:06Z','2026-11-22T04:05:06Z','{}','','{"units":[],"secrets":{"test_key":2},"networks":[],"volumes":[],"folder_identity":8,"replaces":"d5"}',0);
INSERT INTO "deployments" VALUES(7,'d7','550e8400-e29b-41d4-a716-446655440000','web',2,'install','rolled_back','2026-11-22T04:05:06Z','2026-11-22T04:05:06Z','{}','','{"units":[],"secrets":{"test_key":3},"networks":[],"volumes":[],"folder_identity":9,"replaces":"d6"}',0);
INSERT INTO "deployments" VALUES(8,'d8','550e8400-e29b-41d4-a716-446655440000','web',2,'install','deployed','2026-11-22T04:05:06Z','2026-11-22T04:05:06Z','{}','','{"units":[],"secrets":{"test_key":3,"a":1},"networks":[],"volumes":[],"folder_identity":9,"replaces":"d6"}',1);
INSERT INTO "deployments" VALUES(9,'d9','550e8400-e29b-41d4-a716-446655440000','api',2,'install','failed','2026-11-22T04:05:06Z','2026-11-22T04:05:06Z','{}','','',0);
INSERT INTO "deployments" VALUES(10,'d10','550e8400-e29b-41d4-a716-446655440000','odd',2,'install','deployed','2026-11-22T04:05:06Z','2026-11-22T04:05:06Z','{}','','not JSON',1);
INSERT INTO "deployments" VALUES(11,'d11','550e8400-e29b-41d4-a716-446655440000','api',2,'install','starting','2026-11-22T04:05:06Z',NULL,'{}','','{"units":[],"secrets":{"b":12},"networks":[],"volumes":[],"folder_identity":1,"replaces":""}',0);
CREATE TABLE latest_manifests (
  user_uuid TEXT PRIMARY KEY NOT NULL REFERENCES users(user_uuid) ON DELETE CASCADE,
  version INTEGER NOT NULL,
  manifest_id TEXT NOT NULL REFERENCES manifests(manifest_id) ON DELETE CASCADE,
  updated_at TIMESTAMP NOT NULL
);
INSERT INTO "latest_manifests" VALUES('550e8400-e29b-41d4-a716-446655440000',2,'m2','2026-11-22T04:05:06Z');
CREATE TABLE manifests (
  manifest_id TEXT PRIMARY KEY NOT NULL,
  user_uuid TEXT NOT NULL,
  version INTEGER NOT NULL,
  deployment_name TEXT NOT NULL,
  r2_path TEXT NOT NULL,
  bundle_size_bytes INTEGER NOT NULL,
  created_at TIMESTAMP NOT NULL,
  files TEXT NOT NULL,
  services TEXT NOT NULL,
  secrets_required TEXT NOT NULL,
  FOREIGN KEY (user_uuid, version) REFERENCES releases(user_uuid, version) ON DELETE CASCADE
);
INSERT INTO "manifests" VALUES('m1','550e8400-e29b-41d4-a716-446655440000',1,'hello','550e8400-e29b-41d4-a716-446655440000/v1.tar.gz',512,'2026-11-22T04:05:06Z','["hello.container"]','["hello"]','["test_key"]');
INSERT INTO "manifests" VALUES('m2','550e8400-e29b-41d4-a716-446655440000',2,'hello','550e8400-e29b-41d4-a716-446655440000/v2.tar.gz',512,'2026-11-22T04:05:06Z','["hello.container"]','["hello"]','["test_key"]');
CREATE TABLE releases (
  id TEXT PRIMARY KEY NOT NULL,
  user_uuid TEXT NOT NULL,
  version INTEGER NOT NULL CHECK (version >= 1),
  deployment_name TEXT NOT NULL,
  r2_path TEXT NOT NULL,
  bundle_size_bytes INTEGER NOT NULL CHECK (bundle_size_bytes >= 0),
  created_at TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP,
  sha256 TEXT NOT NULL CHECK (length(sha256) = 64),
  FOREIGN KEY (user_uuid) REFERENCES users(user_uuid) ON DELETE CASCADE
);
INSERT INTO "releases" VALUES('r1','550e8400-e29b-41d4-a716-446655440000',1,'hello','550e8400-e29b-41d4-a716-446655440000/v1.tar.gz',512,'2026-11-22T04:05:06Z','abababababababababababababababababababababababababababababababab');
INSERT INTO "releases" VALUES('r2','550e8400-e29b-41d4-a716-446655440000',2,'hello','550e8400-e29b-41d4-a716-446655440000/v2.tar.gz',512,'2026-11-22T04:05:06Z','abababababababababababababababababababababababababababababababab');
CREATE TABLE rendered_quadlets (
  configuration_id TEXT NOT NULL,
  version INTEGER NOT NULL,
  file_name TEXT NOT NULL,
  content TEXT NOT NULL,
  created_at TEXT NOT NULL,
  PRIMARY KEY (configuration_id, version, file_name),
  FOREIGN KEY (configuration_id, version) REFERENCES configuration_versions(configuration_id, version) ON DELETE CASCADE
) STRICT;
INSERT INTO "rendered_quadlets" VALUES('g',1,'site.container','[Container]','2026-11-22T04:05:06Z');
CREATE TABLE schemas (
  schema_id TEXT PRIMARY KEY NOT NULL,
  name TEXT NOT NULL,
  version INTEGER NOT NULL CHECK (version >= 1),
  content TEXT NOT NULL,
  created_at TEXT NOT NULL,
  UNIQUE (name, version)
) STRICT;
INSERT INTO "schemas" VALUES('c','web',1,'{}','2026-11-22T04:05:06Z');
CREATE TABLE secret_versions (
  secret_id TEXT NOT NULL REFERENCES secrets(secret_id) ON DELETE CASCADE,
  version INTEGER NOT NULL CHECK (version >= 1),
  key_id INTEGER NOT NULL REFERENCES data_keys(key_id),
  encryption_version INTEGER NOT NULL,
  nonce BLOB NOT NULL CHECK (length(nonce) = 12),
  ciphertext BLOB NOT NULL CHECK (length(ciphertext) BETWEEN 1 AND 511999),
  tag BLOB NOT NULL CHECK (length(tag) = 16),
  created_at TEXT NOT NULL,
  PRIMARY KEY (secret_id, version),
  UNIQUE (key_id, nonce)
) STRICT;
INSERT INTO "secret_versions" VALUES('s1',1,1,2,X'414141414141414141414141',X'007365616C65642031',X'61616161616161616161616161616161','2026-11-22T04:05:06Z');
INSERT INTO "secret_versions" VALUES('s1',2,5,2,X'424242424242424242424242',X'007365616C65642032',X'62626262626262626262626262626262','2026-11-22T04:05:06Z');
INSERT INTO "secret_versions" VALUES('s1',3,5,2,X'434343434343434343434343',X'007365616C65642033',X'63636363636363636363636363636363','2026-11-22T04:05:06Z');
CREATE TABLE secrets (
  secret_id TEXT PRIMARY KEY NOT NULL,
  user_uuid TEXT NOT NULL REFERENCES users(user_uuid) ON DELETE CASCADE,
  name TEXT NOT NULL,
  encryption_version INTEGER NOT NULL,
  version INTEGER NOT NULL CHECK (version >= 1),
  created_at TEXT NOT NULL,
  updated_at TEXT NOT NULL,
  deleted_at TEXT
) STRICT;
INSERT INTO "secrets" VALUES('s1','550e8400-e29b-41d4-a716-446655440000','test_key',2,3,'2026-11-22T04:05:06Z','2026-11-22T04:05:06Z',NULL);
INSERT INTO "secrets" VALUES('s2','550e8400-e29b-41d4-a716-446655440000','gone',2,4,'2026-11-22T04:05:06Z','2026-11-22T04:05:06Z','2026-11-22T04:05:06Z');
CREATE TABLE sessions (
  session_id TEXT PRIMARY KEY NOT NULL,
  user_uuid TEXT NOT NULL REFERENCES users(user_uuid) ON DELETE CASCADE,
  binding TEXT NOT NULL,
  hostname TEXT NOT NULL,
  client TEXT NOT NULL,
  created_at TEXT NOT NULL,
  expires_at TEXT NOT NULL
) STRICT;
INSERT INTO "sessions" VALUES('j1','550e8400-e29b-41d4-a716-446655440000','tailnet:7','laptop','cli','2026-11-22T04:05:06Z','2026-12-22T04:05:06Z');
CREATE TABLE time_mark (
  id INTEGER PRIMARY KEY NOT NULL CHECK (id = 1),
  seconds INTEGER NOT NULL CHECK (seconds >= 0)
) STRICT;
INSERT INTO "time_mark" VALUES(1,1790000000);
CREATE TABLE users (
  user_uuid TEXT PRIMARY KEY NOT NULL,
  tailscale_user_id TEXT NOT NULL UNIQUE,
  tailscale_email TEXT NOT NULL,
  tailnet TEXT NOT NULL,
  display_name TEXT,
  created_at TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP,
  last_seen TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP,
  last_device_id TEXT,
  last_device_hostname TEXT,
  cli_version TEXT,
  total_authentications INTEGER NOT NULL DEFAULT 0,
  is_owner INTEGER NOT NULL DEFAULT 0 CHECK (is_owner IN (0, 1)),
  -- The highest number that a release of this user ever had; it survives the release.
  last_release_version INTEGER NOT NULL DEFAULT 0 CHECK (last_release_version >= 0)
);
INSERT INTO "users" VALUES('550e8400-e29b-41d4-a716-446655440000','local:dev@host','dev@host','host','dev','2026-11-22T04:05:06Z','2026-11-22T04:05:06Z',NULL,'laptop','0.1.0',3,1,2);
INSERT INTO "users" VALUES('6ba7b810-9dad-51d1-80b4-00c04fd430c8','7','bob@example.com','example.ts.net',NULL,'2026-11-22T04:05:06Z','2026-11-22T04:05:06Z','n1',NULL,NULL,0,0,0);
CREATE INDEX idx_users_tailscale_id ON users(tailscale_user_id);
CREATE INDEX idx_users_tailnet ON users(tailnet);
CREATE UNIQUE INDEX idx_users_owner ON users(is_owner) WHERE is_owner = 1;
CREATE UNIQUE INDEX idx_release_user_version ON releases(user_uuid, version);
CREATE INDEX idx_release_user ON releases(user_uuid);
CREATE INDEX idx_release_user_name ON releases(user_uuid, deployment_name, version);
CREATE UNIQUE INDEX idx_manifest_user_version ON manifests(user_uuid, version);
CREATE INDEX idx_latest_manifest ON latest_manifests(manifest_id);
CREATE UNIQUE INDEX idx_secret_user_name ON secrets(user_uuid, name);
CREATE INDEX idx_deployment_name ON deployments(name, sequence);
CREATE INDEX idx_deployment_user ON deployments(user_uuid);
CREATE INDEX idx_deployment_unfinished ON deployments(sequence) WHERE finished_at IS NULL;
CREATE UNIQUE INDEX idx_deployment_live ON deployments(name) WHERE live = 1;
CREATE INDEX idx_configuration_schema ON configurations(schema_id);
CREATE INDEX idx_session_user ON sessions(user_uuid, created_at);
CREATE INDEX idx_session_expiry ON sessions(expires_at);
DELETE FROM "sqlite_sequence";
INSERT INTO "sqlite_sequence" VALUES('deployments',11);
COMMIT;
