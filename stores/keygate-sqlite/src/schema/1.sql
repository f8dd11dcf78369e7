-- A credential. The record is the truth; the columns before it are what it is found by.
CREATE TABLE keygate_credential (
    number     INTEGER PRIMARY KEY AUTOINCREMENT, -- never used twice
    kind       TEXT    NOT NULL,
    id         TEXT    NOT NULL,
    owner      TEXT    NOT NULL, -- the user or the organization
    project    TEXT    NOT NULL, -- empty where the owner is no project
    version    INTEGER NOT NULL,
    created_at INTEGER NOT NULL, -- times are seconds since 1970
    expires_at INTEGER,
    revoked_at INTEGER,
    checksum   INTEGER NOT NULL, -- CRC-32 of kind, id and record
    record     BLOB    NOT NULL,
    UNIQUE (kind, id)
) STRICT;
CREATE INDEX keygate_credential_by_owner ON keygate_credential (kind, owner, project, id);
CREATE INDEX keygate_credential_by_end ON keygate_credential (expires_at) WHERE expires_at IS NOT NULL;
CREATE INDEX keygate_credential_by_revocation ON keygate_credential (revoked_at) WHERE revoked_at IS NOT NULL;

-- When a secret was last used; secret 0 stands for all of a credential's, those too that it does not have any more.
CREATE TABLE keygate_use (
    credential INTEGER NOT NULL REFERENCES keygate_credential (number) ON DELETE CASCADE,
    secret     INTEGER NOT NULL,
    used_at    INTEGER NOT NULL,
    PRIMARY KEY (credential, secret)
) STRICT, WITHOUT ROWID;
