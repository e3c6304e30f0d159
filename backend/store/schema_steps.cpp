#include "backend/store/schema_steps.h"

#include <array>

namespace leger {
namespace {

// All times are RFC 3339 texts that the program binds. TIMESTAMP is what the first seed declares; SQLite keeps text
// there, but not in a STRICT table, which is why the tables with its columns are not STRICT.
constexpr const char* kInitialSchema = R"sql(
PRAGMA application_id = 1279608658;

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
CREATE INDEX idx_users_tailscale_id ON users(tailscale_user_id);
CREATE INDEX idx_users_tailnet ON users(tailnet);
CREATE UNIQUE INDEX idx_users_owner ON users(is_owner) WHERE is_owner = 1;

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
CREATE UNIQUE INDEX idx_release_user_version ON releases(user_uuid, version);
CREATE INDEX idx_release_user ON releases(user_uuid);
CREATE INDEX idx_release_user_name ON releases(user_uuid, deployment_name, version);

-- What the manifest of a release said; the three lists are JSON arrays of names.
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
CREATE UNIQUE INDEX idx_manifest_user_version ON manifests(user_uuid, version);

-- The latest pointer: which of a user's manifests is the newest.
CREATE TABLE latest_manifests (
  user_uuid TEXT PRIMARY KEY NOT NULL REFERENCES users(user_uuid) ON DELETE CASCADE,
  version INTEGER NOT NULL,
  manifest_id TEXT NOT NULL REFERENCES manifests(manifest_id) ON DELETE CASCADE,
  updated_at TIMESTAMP NOT NULL
);
CREATE INDEX idx_latest_manifest ON latest_manifests(manifest_id);

-- Data keys, each encrypted under the key of the key file.
CREATE TABLE data_keys (
  key_id INTEGER PRIMARY KEY NOT NULL CHECK (key_id BETWEEN 0 AND 4294967295),
  nonce BLOB NOT NULL CHECK (length(nonce) = 12),
  ciphertext BLOB NOT NULL CHECK (length(ciphertext) = 32),
  tag BLOB NOT NULL CHECK (length(tag) = 16),
  created_at TEXT NOT NULL
) STRICT;

-- A deleted secret stays as a row with deleted_at and without versions, so that none of its numbers comes again.
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
CREATE UNIQUE INDEX idx_secret_user_name ON secrets(user_uuid, name);

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

-- `sequence` orders them by creation. plan, error and journal are JSON texts, empty where there is none.
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
CREATE INDEX idx_deployment_name ON deployments(name, sequence);
CREATE INDEX idx_deployment_user ON deployments(user_uuid);
CREATE INDEX idx_deployment_unfinished ON deployments(sequence) WHERE finished_at IS NULL;
CREATE UNIQUE INDEX idx_deployment_live ON deployments(name) WHERE live = 1;

CREATE TABLE schemas (
  schema_id TEXT PRIMARY KEY NOT NULL,
  name TEXT NOT NULL,
  version INTEGER NOT NULL CHECK (version >= 1),
  content TEXT NOT NULL,
  created_at TEXT NOT NULL,
  UNIQUE (name, version)
) STRICT;

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
CREATE INDEX idx_configuration_schema ON configurations(schema_id);

CREATE TABLE configuration_versions (
  configuration_id TEXT NOT NULL REFERENCES configurations(configuration_id) ON DELETE CASCADE,
  version INTEGER NOT NULL CHECK (version >= 1),
  content TEXT NOT NULL,
  created_at TEXT NOT NULL,
  PRIMARY KEY (configuration_id, version)
) STRICT;

CREATE TABLE rendered_quadlets (
  configuration_id TEXT NOT NULL,
  version INTEGER NOT NULL,
  file_name TEXT NOT NULL,
  content TEXT NOT NULL,
  created_at TEXT NOT NULL,
  PRIMARY KEY (configuration_id, version, file_name),
  FOREIGN KEY (configuration_id, version) REFERENCES configuration_versions(configuration_id, version) ON DELETE CASCADE
) STRICT;
)sql";

// A session that is not here has ended. The time mark is one row from the start.
constexpr const char* kSessions = R"sql(
CREATE TABLE sessions (
  session_id TEXT PRIMARY KEY NOT NULL,
  user_uuid TEXT NOT NULL REFERENCES users(user_uuid) ON DELETE CASCADE,
  binding TEXT NOT NULL,
  hostname TEXT NOT NULL,
  client TEXT NOT NULL,
  created_at TEXT NOT NULL,
  expires_at TEXT NOT NULL
) STRICT;
CREATE INDEX idx_session_user ON sessions(user_uuid, created_at);
CREATE INDEX idx_session_expiry ON sessions(expires_at);

-- The latest time, in seconds since 1970, that is known to have passed.
CREATE TABLE time_mark (
  id INTEGER PRIMARY KEY NOT NULL CHECK (id = 1),
  seconds INTEGER NOT NULL CHECK (seconds >= 0)
) STRICT;
INSERT INTO time_mark (id, seconds) VALUES (1, 0);

-- What a key is for: to encrypt secrets, or to sign tokens.
ALTER TABLE data_keys ADD COLUMN purpose TEXT NOT NULL DEFAULT 'secrets' CHECK (purpose IN ('secrets', 'tokens'));
)sql";

// The audit, and what the vault keeps of a deployment's and a key's use. A row of `audit` has the hash of the one
// before it in its own; `audit_chain` has the hash that the first kept row follows (32 zero bytes at first), and the
// last row's id and hash, so that a tail that was cut off shows. `syncs` was the writer's.
constexpr const char* kAudit = R"sql(
CREATE TABLE audit (
  id INTEGER PRIMARY KEY NOT NULL CHECK (id >= 1),
  time TEXT NOT NULL,
  actor TEXT NOT NULL,
  source TEXT NOT NULL,
  action TEXT NOT NULL,
  object TEXT NOT NULL,
  version INTEGER,
  outcome TEXT NOT NULL,
  request_id TEXT NOT NULL,
  count INTEGER NOT NULL CHECK (count >= 1),
  hash BLOB NOT NULL CHECK (length(hash) = 32)
) STRICT;

CREATE TABLE audit_chain (
  one INTEGER PRIMARY KEY NOT NULL CHECK (one = 1),
  first_id INTEGER NOT NULL,
  hash_before_first BLOB NOT NULL CHECK (length(hash_before_first) = 32),
  last_id INTEGER NOT NULL,
  last_hash BLOB NOT NULL CHECK (length(last_hash) = 32),
  syncs INTEGER NOT NULL
) STRICT;
INSERT INTO audit_chain VALUES (1, 1, zeroblob(32), 0, zeroblob(32), 0);

-- Which versions of secrets a deployment was made with: those of a live, an unfinished or a kept one stay.
CREATE TABLE deployment_secrets (
  deployment_id TEXT NOT NULL REFERENCES deployments(id) ON DELETE CASCADE,
  name TEXT NOT NULL,
  version INTEGER NOT NULL,
  PRIMARY KEY (deployment_id, name)
) STRICT, WITHOUT ROWID;
CREATE INDEX idx_deployment_secret ON deployment_secrets(name, version);
-- The one that was live before the live one, to which its app can be rolled back.
ALTER TABLE deployments ADD COLUMN kept INTEGER NOT NULL DEFAULT 0 CHECK (kept IN (0, 1));
-- Both were told by the journal up to now; CASE, since it is empty before there is a plan.
UPDATE deployments SET kept = 1 WHERE live = 0 AND id IN (
  SELECT json_extract(CASE WHEN json_valid(journal) THEN journal ELSE '{}' END, '$.replaces')
  FROM deployments WHERE live = 1);
INSERT INTO deployment_secrets SELECT d.id, s.key, s.value
  FROM deployments d, json_each(CASE WHEN json_valid(d.journal) THEN d.journal ELSE '{}' END, '$.secrets') s
  WHERE (d.live = 1 OR d.kept = 1 OR d.finished_at IS NULL) AND s.type = 'integer';

-- How often a key has sealed, for the bound on random nonces (NIST SP 800-38D).
ALTER TABLE data_keys ADD COLUMN seals INTEGER NOT NULL DEFAULT 0;
UPDATE data_keys SET seals = (SELECT count(*) FROM secret_versions v WHERE v.key_id = data_keys.key_id);

-- The file of the key-encryption key that wraps the data keys, where that is not the one of the configuration yet.
CREATE TABLE new_key_file (
  one INTEGER PRIMARY KEY NOT NULL CHECK (one = 1),
  path TEXT NOT NULL
) STRICT;
)sql";

// What a change costs are the pages that it touches. Versions of one secret lie side by side; the row that points to
// the newest release is one of few, which no index helps to find.
constexpr const char* kFewerPages = R"sql(
-- The number of the last record of audit_journal.h that is in the chain.
ALTER TABLE audit_chain RENAME COLUMN syncs TO journalled;
UPDATE audit_chain SET journalled = 0;

CREATE TABLE versions_of_secrets (
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
) STRICT, WITHOUT ROWID;
INSERT INTO versions_of_secrets
  SELECT secret_id, version, key_id, encryption_version, nonce, ciphertext, tag, created_at FROM secret_versions;
DROP TABLE secret_versions;
ALTER TABLE versions_of_secrets RENAME TO secret_versions;

DROP INDEX idx_latest_manifest;
)sql";

// That a value changed is said by its versions alone; `secrets` is not touched. `last_version` is the highest number
// that was ever allotted, once no version is left to say so; before that it is no higher than theirs. Of a version the
// short columns come first: a large value is not read for its time.
constexpr const char* kVersionsAlone = R"sql(
ALTER TABLE secrets DROP COLUMN encryption_version;
ALTER TABLE secrets DROP COLUMN updated_at;
ALTER TABLE secrets RENAME COLUMN version TO last_version;

CREATE TABLE versions_of_secrets (
  secret_id TEXT NOT NULL REFERENCES secrets(secret_id) ON DELETE CASCADE,
  version INTEGER NOT NULL CHECK (version >= 1),
  created_at TEXT NOT NULL,
  key_id INTEGER NOT NULL REFERENCES data_keys(key_id),
  encryption_version INTEGER NOT NULL,
  nonce BLOB NOT NULL CHECK (length(nonce) = 12),
  tag BLOB NOT NULL CHECK (length(tag) = 16),
  ciphertext BLOB NOT NULL CHECK (length(ciphertext) BETWEEN 1 AND 511999),
  PRIMARY KEY (secret_id, version),
  UNIQUE (key_id, nonce)
) STRICT, WITHOUT ROWID;
INSERT INTO versions_of_secrets
  SELECT secret_id, version, created_at, key_id, encryption_version, nonce, tag, ciphertext FROM secret_versions;
DROP TABLE secret_versions;
ALTER TABLE versions_of_secrets RENAME TO secret_versions;
)sql";

// Step N is the (N-1)th: append only.
constexpr std::array kSteps{kInitialSchema, kSessions, kAudit, kFewerPages, kVersionsAlone};

}  // namespace

std::span<const char* const> schema_steps() { return kSteps; }

}  // namespace leger
