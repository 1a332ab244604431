//! Keys of schemas: a registry, with the names of Confluent's clients, or files.

use crate::config::key::{Key, Kind, Unit};
use crate::config::schemas::BearerSource;

pub(in crate::config) static URL: Key = Key::list(
    "schema.registry.url",
    "The schema registry: one URL, or several of the same registry, of which the one that \
     answered last is asked first. Either this or `schema.files`.",
);

pub(in crate::config) static USER_INFO: Key = Key::text(
    "schema.registry.basic.auth.user.info",
    "The registry's credentials, as user:password.",
)
.secret();

pub(in crate::config) static BEARER_SOURCE: Key = Key::choice(
    "schema.registry.bearer.auth.credentials.source",
    BearerSource::NAMES,
    "Where tokens come from: `STATIC_TOKEN` is written in the file, `OAUTHBEARER` gets them by \
     client credentials (OAuth 2.0, RFC 6749 section 4.4), and renews them when 80% of their \
     life is over and when one is refused.",
)
.not_yet(
    &[
        "OAUTHBEARER_AZURE_IMDS",
        "SASL_OAUTHBEARER_INHERIT",
        "CUSTOM",
    ],
    "OAUTHBEARER with a client id and a secret works with all providers",
)
.or_else("`STATIC_TOKEN` with a token, `OAUTHBEARER` with an endpoint");

pub(in crate::config) static BEARER_TOKEN: Key = Key::text(
    "schema.registry.bearer.auth.token",
    "A token that does not change.",
)
.secret();

pub(in crate::config) static BEARER_ENDPOINT: Key = Key::url(
    "schema.registry.bearer.auth.issuer.endpoint.url",
    "The token endpoint, for OAUTHBEARER.",
);

pub(in crate::config) static BEARER_CLIENT_ID: Key = Key::text(
    "schema.registry.bearer.auth.client.id",
    "Who asks for the token.",
);

pub(in crate::config) static BEARER_CLIENT_SECRET: Key = Key::text(
    "schema.registry.bearer.auth.client.secret",
    "The secret of who asks for the token.",
)
.secret();

pub(in crate::config) static BEARER_SCOPE: Key = Key::text(
    "schema.registry.bearer.auth.scope",
    "What the token should allow, as the token endpoint names it.",
);

pub(in crate::config) static BEARER_CLUSTER: Key = Key::text(
    "schema.registry.bearer.auth.logical.cluster",
    "The logical cluster, such as lsrc-1a2b3, which is sent with each request (`target-sr- \
     cluster`).",
);

pub(in crate::config) static BEARER_POOL: Key = Key::text(
    "schema.registry.bearer.auth.identity.pool.id",
    "The identity pool, which is sent with each request (`Confluent-Identity-Pool-Id`). \
     Several with commas.",
);

pub(in crate::config) static BEARER_CA: Key = Key::path(
    "schema.registry.https.ca.location",
    "A file with the certificate authorities (PEM) that the token endpoint is trusted by.",
)
.or_else("the public ones, built in");

pub(in crate::config) static SSL_CA: Key = Key::path(
    "schema.registry.ssl.ca.location",
    "A file with the certificate authorities (PEM) that the registry is trusted by. Files of \
     TLS are read anew when they have changed.",
)
.or_else("the public ones, built in");

pub(in crate::config) static SSL_CA_PEM: Key =
    Key::text("schema.registry.ssl.ca.pem", "The same, as text.");

pub(in crate::config) static SSL_CERTIFICATE: Key = Key::path(
    "schema.registry.ssl.certificate.location",
    "A file with the client's own certificate (PEM), for mutual TLS.",
);

pub(in crate::config) static SSL_CERTIFICATE_PEM: Key =
    Key::text("schema.registry.ssl.certificate.pem", "The same, as text.");

pub(in crate::config) static SSL_KEY: Key = Key::path(
    "schema.registry.ssl.key.location",
    "A file with the private key of that certificate (PEM).",
);

pub(in crate::config) static SSL_KEY_PEM: Key =
    Key::text("schema.registry.ssl.key.pem", "The same, as text.").secret();

pub(in crate::config) static SSL_KEY_PASSWORD: Key = Key::text(
    "schema.registry.ssl.key.password",
    "What the private key is encrypted with.",
)
.secret();

pub(in crate::config) static SSL_KEYSTORE: Key = Key::path(
    "schema.registry.ssl.keystore.location",
    "A PKCS#12 file with certificate and private key, in place of the two.",
);

pub(in crate::config) static SSL_KEYSTORE_PASSWORD: Key = Key::text(
    "schema.registry.ssl.keystore.password",
    "What the PKCS#12 file is encrypted with.",
)
.secret();

pub(in crate::config) static PROXY: Key = Key::text(
    "schema.registry.proxy",
    "An HTTP proxy, as http://host:port or http://user:password@host:port. The environment is \
     not looked at.",
)
.secret();

pub(in crate::config) static TIMEOUT: Key = Key::integer(
    "schema.registry.request.timeout.ms",
    (1, 300_000),
    Unit::Milliseconds,
    "How long one request to the registry may take, connecting included.",
)
.or("5000");

pub(in crate::config) static MAX_RETRIES: Key = Key::integer(
    "schema.registry.max.retries",
    (0, 100),
    Unit::Times,
    "How often a request is made again that failed at every URL: on a broken connection, a \
     timeout, 408, 429 or 5xx. After that, batches wait, and the registry is asked every 5 s \
     at the most, for as long as it takes.",
)
.or("3");

pub(in crate::config) static RETRIES_WAIT: Key = Key::integer(
    "schema.registry.retries.wait.ms",
    (1, 60_000),
    Unit::Milliseconds,
    "How long to wait before a request is made again, at the most: a random part of this is \
     waited, which doubles each time.",
)
.or("100");

pub(in crate::config) static RETRIES_MAX_WAIT: Key = Key::integer(
    "schema.registry.retries.max.wait.ms",
    (1, 60_000),
    Unit::Milliseconds,
    "How far that doubling goes.",
)
.or("1000");

pub(in crate::config) static LATEST_TTL: Key = Key::integer(
    "schema.registry.latest.cache.ttl.sec",
    (0, 31_536_000),
    Unit::Seconds,
    "How long a subject's latest version is taken to be the latest.",
)
.alias(&["schema.registry.cache.latest.ttl.sec"])
.or("300");

pub(in crate::config) static CACHE_PERSIST: Key = Key::boolean(
    "schema.registry.cache.persist",
    "Whether schemas are kept on disk too, below the cache directory (`WEIR_CACHE_DIR`), so \
     that a pipeline can start while the registry is down.",
)
.or("true");

pub(in crate::config) static AUTO_REGISTER: Key = Key::boolean(
    "schema.registry.auto.register.schemas",
    "Whether plug-ins may register schemas.",
)
.or("false");

pub(in crate::config) static FILES: Key = Key::new(
    "schema.files",
    Kind::Files,
    "Schemas from files instead of a registry: from a schema id (a number) or a subject to an \
     .avsc, .proto or .json file, or to a Protobuf descriptor set (.desc, .pb, .binpb, \
     .protoset). For Avro also a list of files, the schema last and before it the types that it \
     names.",
);

pub(in crate::config) static IMPORT_PATHS: Key = Key::list(
    "schema.import.paths",
    "Folders that imports of `.proto` files and `$ref` of `.json` files are looked for in, in \
     this order and before the folder of the file that has them.",
);

pub(in crate::config) static ALL: &[&Key] = &[
    &URL,
    &USER_INFO,
    &BEARER_SOURCE,
    &BEARER_TOKEN,
    &BEARER_ENDPOINT,
    &BEARER_CLIENT_ID,
    &BEARER_CLIENT_SECRET,
    &BEARER_SCOPE,
    &BEARER_CLUSTER,
    &BEARER_POOL,
    &BEARER_CA,
    &SSL_CA,
    &SSL_CA_PEM,
    &SSL_CERTIFICATE,
    &SSL_CERTIFICATE_PEM,
    &SSL_KEY,
    &SSL_KEY_PEM,
    &SSL_KEY_PASSWORD,
    &SSL_KEYSTORE,
    &SSL_KEYSTORE_PASSWORD,
    &PROXY,
    &TIMEOUT,
    &MAX_RETRIES,
    &RETRIES_WAIT,
    &RETRIES_MAX_WAIT,
    &LATEST_TTL,
    &CACHE_PERSIST,
    &AUTO_REGISTER,
    &FILES,
    &IMPORT_PATHS,
];
