-- A file of schema 1, as release 0.1.0 wrote it: never changed. tests/it/golden.rs has the texts of its credentials.
BEGIN TRANSACTION;
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
INSERT INTO "keygate_credential" VALUES(1,'ak','wKD_ahuAPrSQ','u-17','',1,1795865565,NULL,NULL,288224752,CAST('{"v":1,"id":"wKD_ahuAPrSQ","name":"laptop","metadata":[],"created_at":1795865565,"created_by":null,"not_before":null,"expires_at":null,"disabled":false,"revoked":null,"current":{"number":1,"slot":1,"guard":1,"digest":"ai1LuRDNL6ngr1rsB12t1o5w5ISVNNwv4KA+BhBivQQ="},"retiring":null,"parent":null,"networks":null,"version":1,"grant":{"api_key":{"user":"u-17"}}}' AS BLOB));
INSERT INTO "keygate_credential" VALUES(2,'sa','-DxpS55EYtL6','acme','',2,1795865565,NULL,NULL,2423302371,CAST('{"v":1,"id":"-DxpS55EYtL6","name":null,"metadata":[],"created_at":1795865565,"created_by":null,"not_before":null,"expires_at":null,"disabled":false,"revoked":null,"current":{"number":2,"slot":1,"guard":1,"digest":"9g22UFELtOcHFyp4YVgEFni00SSvsFiYD8KKjoix3L8="},"retiring":{"secret":{"number":1,"slot":1,"guard":1,"digest":"ewws4CYbtsXAQAn/sUA4D4qAVtkoGqldguI7qCWvP88="},"ends_at":-9223372036854775808},"parent":null,"networks":null,"version":2,"grant":{"service_account":{"organization":"acme","scopes":["*@web/prod:/**"],"public_key":null,"sealed_keys":[],"mint_generation":0}}}' AS BLOB));
INSERT INTO "keygate_credential" VALUES(3,'st','k0bdgyR_hoCL','acme','web',1,1795865565,1798457565,NULL,1651055400,CAST('{"v":1,"id":"k0bdgyR_hoCL","name":null,"metadata":[],"created_at":1795865565,"created_by":null,"not_before":null,"expires_at":1798457565,"disabled":false,"revoked":null,"current":{"number":1,"slot":1,"guard":1,"digest":"TxC2V0OkCzezwhRACK0S5KPrzI26Kt9HhJPQJDCIKVo="},"retiring":null,"parent":null,"networks":null,"version":1,"grant":{"service_token":{"organization":"acme","project":"web","scopes":["read@web/prod:/app/**"],"client_box":null}}}' AS BLOB));
INSERT INTO "keygate_credential" VALUES(4,'ak','FQy-8SyHSrM0','u-18','',2,1795865565,NULL,1795865565,4098518417,CAST('{"v":1,"id":"FQy-8SyHSrM0","name":null,"metadata":[],"created_at":1795865565,"created_by":null,"not_before":null,"expires_at":null,"disabled":false,"revoked":{"at":1795865565,"reason":"left the company"},"current":{"number":1,"slot":1,"guard":1,"digest":"LmYgafa6IE7vVtRh1CumnYlYIzP+tRwE5LzHafQ0Y/s="},"retiring":null,"parent":null,"networks":null,"version":2,"grant":{"api_key":{"user":"u-18"}}}' AS BLOB));
CREATE TABLE keygate_use (
    credential INTEGER NOT NULL REFERENCES keygate_credential (number) ON DELETE CASCADE,
    secret     INTEGER NOT NULL,
    used_at    INTEGER NOT NULL,
    PRIMARY KEY (credential, secret)
) STRICT, WITHOUT ROWID;
INSERT INTO "keygate_use" VALUES(2,0,1795866000);
INSERT INTO "keygate_use" VALUES(2,2,1795866000);
CREATE INDEX keygate_credential_by_owner ON keygate_credential (kind, owner, project, id);
CREATE INDEX keygate_credential_by_end ON keygate_credential (expires_at) WHERE expires_at IS NOT NULL;
CREATE INDEX keygate_credential_by_revocation ON keygate_credential (revoked_at) WHERE revoked_at IS NOT NULL;
COMMIT;
PRAGMA application_id = 1801937268;
PRAGMA user_version = 1;
