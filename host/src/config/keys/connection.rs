//! Keys of every Kafka client: how it connects, and how it proves who it is. The source and
//! the Kafka sink have the same ones, so they are declared once and named twice.

/// Declares the keys below a prefix.
macro_rules! connection_keys {
    ($prefix:literal) => {
        use crate::config::key::{Key, Unit};
        use crate::config::security::{HostNameCheck, SaslMechanism, SecurityProtocol};

        pub(in crate::config) static CLIENT_ID: Key = Key::text(
            concat!($prefix, "client.id"),
            "How brokers name this client in logs and quotas.",
        )
        .or("weir")
        .sets("client.id");

        pub(in crate::config) static SECURITY_PROTOCOL: Key = Key::choice(
            concat!($prefix, "security.protocol"),
            SecurityProtocol::NAMES,
            "How to connect to brokers: encrypted (`ssl`), authenticated (`sasl_plaintext`), both, \
             or neither.",
        )
        .or("plaintext")
        .sets("security.protocol");

        pub(in crate::config) static SASL_MECHANISM: Key = Key::choice(
            concat!($prefix, "sasl.mechanism"),
            SaslMechanism::NAMES,
            "How to authenticate, with `security.protocol` sasl_ssl or sasl_plaintext.",
        )
        .alias(&[concat!($prefix, "sasl.mechanisms")])
        .also(&[
            ("kerberos", "GSSAPI"),
            ("scram256", "SCRAM-SHA-256"),
            ("scram512", "SCRAM-SHA-512"),
            ("sha-256", "SCRAM-SHA-256"),
            ("sha-512", "SCRAM-SHA-512"),
            ("oauth", "OAUTHBEARER"),
            ("msk_iam", "AWS_MSK_IAM"),
            ("aws_iam", "AWS_MSK_IAM"),
        ]);

        pub(in crate::config) static SASL_USERNAME: Key = Key::text(
            concat!($prefix, "sasl.username"),
            "The user, for PLAIN and SCRAM.",
        )
        .sets("sasl.username");

        pub(in crate::config) static SASL_PASSWORD: Key = Key::text(
            concat!($prefix, "sasl.password"),
            "The user's password, for PLAIN and SCRAM.",
        )
        .secret()
        .sets("sasl.password");

        pub(in crate::config) static KERBEROS_SERVICE: Key = Key::text(
            concat!($prefix, "sasl.kerberos.service.name"),
            "The name that brokers have in Kerberos, without host and realm.",
        )
        .or("kafka")
        .sets("sasl.kerberos.service.name");

        pub(in crate::config) static KERBEROS_PRINCIPAL: Key = Key::text(
            concat!($prefix, "sasl.kerberos.principal"),
            "The client's own name in Kerberos, such as weir@EXAMPLE.COM.",
        )
        .sets("sasl.kerberos.principal");

        pub(in crate::config) static KERBEROS_KEYTAB: Key = Key::path(
            concat!($prefix, "sasl.kerberos.keytab"),
            "The file with the principal's keys.",
        )
        .sets("sasl.kerberos.keytab");

        pub(in crate::config) static KERBEROS_KINIT: Key = Key::text(
            concat!($prefix, "sasl.kerberos.kinit.cmd"),
            "The shell command that gets a ticket. librdkafka runs it at the start and before \
             the ticket expires.",
        )
        .or_else("librdkafka's, which runs kinit with the keytab and the principal")
        .sets("sasl.kerberos.kinit.cmd");

        pub(in crate::config) static KERBEROS_RELOGIN: Key = Key::integer(
            concat!($prefix, "sasl.kerberos.min.time.before.relogin"),
            (0, 86_400_000),
            Unit::Milliseconds,
            "How often to get a new ticket at the most. 0 never gets another.",
        )
        .or("60000")
        .sets("sasl.kerberos.min.time.before.relogin");

        pub(in crate::config) static OAUTH_URL: Key = Key::url(
            concat!($prefix, "sasl.oauthbearer.token.endpoint.url"),
            "Where tokens come from, for OAUTHBEARER by client credentials (OAuth 2.0, RFC 6749 \
             section 4.4). They are renewed in the background, also while nothing flows.",
        )
        .sets("sasl.oauthbearer.token.endpoint.url");

        pub(in crate::config) static OAUTH_CLIENT_ID: Key = Key::text(
            concat!($prefix, "sasl.oauthbearer.client.id"),
            "Who asks for the token.",
        )
        .alias(&[concat!(
            $prefix,
            "sasl.oauthbearer.client.credentials.client.id"
        )])
        .sets("sasl.oauthbearer.client.id");

        pub(in crate::config) static OAUTH_CLIENT_SECRET: Key = Key::text(
            concat!($prefix, "sasl.oauthbearer.client.secret"),
            "The secret of who asks for the token.",
        )
        .alias(&[concat!(
            $prefix,
            "sasl.oauthbearer.client.credentials.client.secret"
        )])
        .secret()
        .sets("sasl.oauthbearer.client.secret");

        pub(in crate::config) static OAUTH_SCOPE: Key = Key::text(
            concat!($prefix, "sasl.oauthbearer.scope"),
            "What the token should allow, as the token endpoint names it.",
        )
        .sets("sasl.oauthbearer.scope");

        pub(in crate::config) static OAUTH_EXTENSIONS: Key = Key::list(
            concat!($prefix, "sasl.oauthbearer.extensions"),
            "What is sent to the broker with the token (KIP-342), as name=value.",
        )
        .sets("sasl.oauthbearer.extensions");

        pub(in crate::config) static AWS_REGION: Key = Key::text(
            concat!($prefix, "sasl.aws.region"),
            "The region of the MSK cluster, for AWS_MSK_IAM. Tokens are signed here with AWS \
             credentials, and renewed in the background, also while nothing flows.",
        )
        .or_else("that of the brokers' host names, else `AWS_REGION` or `AWS_DEFAULT_REGION`")
        .sets("sasl.aws.region");

        pub(in crate::config) static AWS_PROFILE: Key = Key::text(
            concat!($prefix, "sasl.aws.profile"),
            "The profile of AWS's shared files that credentials are taken from, for AWS_MSK_IAM.",
        )
        .or_else(
            "the first credentials of the standard chain: environment, `AWS_PROFILE` or the \
             default profile, web identity, container, machine",
        )
        .sets("sasl.aws.profile");

        pub(in crate::config) static OAUTH_CA: Key = Key::path(
            concat!($prefix, "https.ca.location"),
            "A file with the certificate authorities (PEM) that the token endpoint is trusted by.",
        )
        .or_else("the system's")
        .sets("https.ca.location");

        pub(in crate::config) static SSL_CA: Key = Key::path(
            concat!($prefix, "ssl.ca.location"),
            "A file with the certificate authorities (PEM) that brokers are trusted by.",
        )
        .or_else("the system's")
        .sets("ssl.ca.location");

        pub(in crate::config) static SSL_CA_PEM: Key =
            Key::text(concat!($prefix, "ssl.ca.pem"), "The same, as text.").sets("ssl.ca.pem");

        pub(in crate::config) static SSL_CERTIFICATE: Key = Key::path(
            concat!($prefix, "ssl.certificate.location"),
            "A file with the client's own certificate (PEM), for mutual TLS.",
        )
        .sets("ssl.certificate.location");

        pub(in crate::config) static SSL_CERTIFICATE_PEM: Key = Key::text(
            concat!($prefix, "ssl.certificate.pem"),
            "The same, as text.",
        )
        .sets("ssl.certificate.pem");

        pub(in crate::config) static SSL_KEY: Key = Key::path(
            concat!($prefix, "ssl.key.location"),
            "A file with the private key of that certificate (PEM).",
        )
        .sets("ssl.key.location");

        pub(in crate::config) static SSL_KEY_PEM: Key =
            Key::text(concat!($prefix, "ssl.key.pem"), "The same, as text.")
                .secret()
                .sets("ssl.key.pem");

        pub(in crate::config) static SSL_KEY_PASSWORD: Key = Key::text(
            concat!($prefix, "ssl.key.password"),
            "What the private key is encrypted with.",
        )
        .secret()
        .sets("ssl.key.password");

        pub(in crate::config) static SSL_KEYSTORE: Key = Key::path(
            concat!($prefix, "ssl.keystore.location"),
            "A PKCS#12 file with certificate and private key, in place of the two.",
        )
        .sets("ssl.keystore.location");

        pub(in crate::config) static SSL_KEYSTORE_PASSWORD: Key = Key::text(
            concat!($prefix, "ssl.keystore.password"),
            "What the PKCS#12 file is encrypted with.",
        )
        .secret()
        .sets("ssl.keystore.password");

        pub(in crate::config) static SSL_CRL: Key = Key::path(
            concat!($prefix, "ssl.crl.location"),
            "A file with certificates that are revoked (PEM).",
        )
        .sets("ssl.crl.location");

        pub(in crate::config) static SSL_HOST_NAMES: Key = Key::choice(
            concat!($prefix, "ssl.endpoint.identification.algorithm"),
            HostNameCheck::NAMES,
            "Whether a broker's certificate has to be for its host name: `https` (RFC 2818) or \
             `none`.",
        )
        .or("https")
        .sets("ssl.endpoint.identification.algorithm");

        pub(in crate::config) static SSL_CIPHERS: Key = Key::text(
            concat!($prefix, "ssl.cipher.suites"),
            "Cipher suites to allow, as OpenSSL lists them.",
        )
        .or_else("OpenSSL's")
        .sets("ssl.cipher.suites");

        pub(in crate::config) static SOCKET_TIMEOUT: Key = Key::integer(
            concat!($prefix, "socket.timeout.ms"),
            (10, 300_000),
            Unit::Milliseconds,
            "How long a broker may take to answer.",
        )
        .or("60000")
        .sets("socket.timeout.ms");

        pub(in crate::config) static SOCKET_SETUP: Key = Key::integer(
            concat!($prefix, "socket.connection.setup.timeout.ms"),
            (1_000, 2_147_483_647),
            Unit::Milliseconds,
            "How long connecting may take, TLS and authentication included.",
        )
        .or("30000")
        .sets("socket.connection.setup.timeout.ms");

        pub(in crate::config) static SOCKET_KEEPALIVE: Key = Key::boolean(
            concat!($prefix, "socket.keepalive.enable"),
            "Whether TCP looks after idle connections, so that firewalls keep them.",
        )
        .or("true")
        .sets("socket.keepalive.enable");

        pub(in crate::config) static SOCKET_NAGLE: Key = Key::boolean(
            concat!($prefix, "socket.nagle.disable"),
            "Whether small requests are sent at once (TCP_NODELAY).",
        )
        .or("true")
        .sets("socket.nagle.disable");

        pub(in crate::config) static CONNECTIONS_IDLE: Key = Key::integer(
            concat!($prefix, "connections.max.idle.ms"),
            (0, 2_147_483_647),
            Unit::Milliseconds,
            "Connections are closed when they were idle for this long; 0 keeps them.",
        )
        .or("0")
        .sets("connections.max.idle.ms");

        pub(in crate::config) static RECONNECT: Key = Key::integer(
            concat!($prefix, "reconnect.backoff.ms"),
            (0, 3_600_000),
            Unit::Milliseconds,
            "How long to wait before connecting again. It doubles with each failure.",
        )
        .or("100")
        .sets("reconnect.backoff.ms");

        pub(in crate::config) static RECONNECT_MAX: Key = Key::integer(
            concat!($prefix, "reconnect.backoff.max.ms"),
            (0, 3_600_000),
            Unit::Milliseconds,
            "How far that doubling goes.",
        )
        .or("10000")
        .sets("reconnect.backoff.max.ms");

        pub(in crate::config) static RETRY_BACKOFF: Key = Key::integer(
            concat!($prefix, "retry.backoff.ms"),
            (1, 300_000),
            Unit::Milliseconds,
            "How long to wait before a failed request is made again. It doubles with each \
             failure (KIP-580).",
        )
        .or("100")
        .sets("retry.backoff.ms");

        pub(in crate::config) static RETRY_BACKOFF_MAX: Key = Key::integer(
            concat!($prefix, "retry.backoff.max.ms"),
            (1, 300_000),
            Unit::Milliseconds,
            "How far that doubling goes.",
        )
        .or("1000")
        .sets("retry.backoff.max.ms");

        pub(in crate::config) static STATISTICS: Key = Key::integer(
            concat!($prefix, "statistics.interval.ms"),
            (0, 86_400_000),
            Unit::Milliseconds,
            "How often the client's own figures are taken for `metrics.listen`, the ends of \
             partitions among them, which lag is counted from; 0 for never.",
        )
        .or("10000")
        .sets("statistics.interval.ms");

        pub(in crate::config) static ALL: &[&Key] = &[
            &CLIENT_ID,
            &SECURITY_PROTOCOL,
            &SASL_MECHANISM,
            &SASL_USERNAME,
            &SASL_PASSWORD,
            &KERBEROS_SERVICE,
            &KERBEROS_PRINCIPAL,
            &KERBEROS_KEYTAB,
            &KERBEROS_KINIT,
            &KERBEROS_RELOGIN,
            &OAUTH_URL,
            &OAUTH_CLIENT_ID,
            &OAUTH_CLIENT_SECRET,
            &OAUTH_SCOPE,
            &OAUTH_EXTENSIONS,
            &AWS_REGION,
            &AWS_PROFILE,
            &OAUTH_CA,
            &SSL_CA,
            &SSL_CA_PEM,
            &SSL_CERTIFICATE,
            &SSL_CERTIFICATE_PEM,
            &SSL_KEY,
            &SSL_KEY_PEM,
            &SSL_KEY_PASSWORD,
            &SSL_KEYSTORE,
            &SSL_KEYSTORE_PASSWORD,
            &SSL_CRL,
            &SSL_HOST_NAMES,
            &SSL_CIPHERS,
            &SOCKET_TIMEOUT,
            &SOCKET_SETUP,
            &SOCKET_KEEPALIVE,
            &SOCKET_NAGLE,
            &CONNECTIONS_IDLE,
            &RECONNECT,
            &RECONNECT_MAX,
            &RETRY_BACKOFF,
            &RETRY_BACKOFF_MAX,
            &STATISTICS,
        ];
    };
}

/// Those of the source.
pub(in crate::config) mod source {
    connection_keys!("source.");
}

/// Those of the Kafka sink.
pub(in crate::config) mod sink {
    connection_keys!("sink.kafka.");
}
