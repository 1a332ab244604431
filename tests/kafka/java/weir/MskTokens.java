package weir;

import java.io.IOException;
import java.net.URLDecoder;
import java.nio.charset.StandardCharsets;
import java.security.GeneralSecurityException;
import java.security.MessageDigest;
import java.time.Instant;
import java.time.ZoneOffset;
import java.time.format.DateTimeFormatter;
import java.util.Base64;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import javax.crypto.Mac;
import javax.crypto.spec.SecretKeySpec;
import javax.security.auth.callback.Callback;
import javax.security.auth.callback.UnsupportedCallbackException;
import javax.security.auth.login.AppConfigurationEntry;
import org.apache.kafka.common.security.auth.AuthenticateCallbackHandler;
import org.apache.kafka.common.security.oauthbearer.OAuthBearerExtensionsValidatorCallback;
import org.apache.kafka.common.security.oauthbearer.OAuthBearerToken;
import org.apache.kafka.common.security.oauthbearer.OAuthBearerValidatorCallback;

/**
 * What Amazon MSK does with a token: it is a URL, signed beforehand (Signature Version 4), that asks for
 * kafka-cluster:Connect. The key of the access key X is "secret of X"; a session token says when it ends, as
 * "ends <ms>". Whoever signs so is alice.
 */
public final class MskTokens implements AuthenticateCallbackHandler {
    private static final String REGION = "eu-test-1";
    private static final String HOST = "kafka." + REGION + ".amazonaws.com";

    @Override
    public void configure(Map<String, ?> configs, String mechanism, List<AppConfigurationEntry> entries) {}

    @Override
    public void close() {}

    @Override
    public void handle(Callback[] callbacks) throws IOException, UnsupportedCallbackException {
        for (Callback callback : callbacks) {
            if (callback instanceof OAuthBearerValidatorCallback validator) {
                try {
                    validator.token(check(validator.tokenValue()));
                } catch (GeneralSecurityException | RuntimeException refused) {
                    System.err.println("MskTokens refuses a token: " + refused.getMessage());
                    validator.error("invalid_token", null, null);
                }
            } else if (callback instanceof OAuthBearerExtensionsValidatorCallback extensions) {
                extensions.inputExtensions().map().keySet().forEach(extensions::valid);
            } else {
                throw new UnsupportedCallbackException(callback);
            }
        }
    }

    private static OAuthBearerToken check(String token) throws GeneralSecurityException {
        String url = new String(Base64.getUrlDecoder().decode(token), StandardCharsets.US_ASCII);
        String start = "https://" + HOST + "/?";
        require(url.startsWith(start), "not for " + HOST);
        TreeMap<String, String> query = new TreeMap<>();
        for (String pair : url.substring(start.length()).split("&")) {
            String[] parts = pair.split("=", 2);
            require(query.put(parts[0], parts[1]) == null, "twice: " + parts[0]);
        }
        require(query.remove("User-Agent").startsWith("weir%2F"), "not weir");
        String signature = query.remove("X-Amz-Signature");
        require(decoded(query, "Action").equals("kafka-cluster:Connect"), "another action");
        require(query.get("X-Amz-Algorithm").equals("AWS4-HMAC-SHA256"), "another algorithm");
        require(query.get("X-Amz-SignedHeaders").equals("host"), "other headers");
        require(query.get("X-Amz-Expires").equals("900"), "another life");

        String date = query.get("X-Amz-Date");
        String[] credential = decoded(query, "X-Amz-Credential").split("/");
        String day = date.substring(0, 8);
        String[] scope = {day, REGION, "kafka-cluster", "aws4_request"};
        require(List.of(credential).subList(1, 5).equals(List.of(scope)), "another scope");

        StringBuilder canonical = new StringBuilder();
        query.forEach((name, value) -> canonical.append('&').append(name).append('=').append(value));
        String request = "GET\n/\n" + canonical.substring(1) + "\nhost:" + HOST + "\n\nhost\n" + sha256("");
        String text = "AWS4-HMAC-SHA256\n" + date + "\n" + String.join("/", scope) + "\n" + sha256(request);
        byte[] key = ("AWS4secret of " + credential[0]).getBytes(StandardCharsets.UTF_8);
        for (String part : scope) {
            key = hmac(key, part);
        }
        require(HexFormat.of().formatHex(hmac(key, text)).equals(signature), "a wrong signature");

        long signed = Instant.from(DateTimeFormatter.ofPattern("yyyyMMdd'T'HHmmss'Z'")
            .withZone(ZoneOffset.UTC).parse(date)).toEpochMilli();
        long ends = signed + 900_000;
        if (query.containsKey("X-Amz-Security-Token")) {
            String session = decoded(query, "X-Amz-Security-Token");
            require(session.startsWith("ends "), "another session");
            ends = Math.min(ends, Long.parseLong(session.substring("ends ".length())));
        }
        require(System.currentTimeMillis() < ends, "an expired token");
        return new Token(token, signed, ends);
    }

    private static void require(boolean holds, String why) {
        if (!holds) {
            throw new IllegalArgumentException(why);
        }
    }

    private static String decoded(Map<String, String> query, String name) {
        return URLDecoder.decode(query.get(name), StandardCharsets.UTF_8);
    }

    private static String sha256(String text) throws GeneralSecurityException {
        byte[] bytes = text.getBytes(StandardCharsets.UTF_8);
        return HexFormat.of().formatHex(MessageDigest.getInstance("SHA-256").digest(bytes));
    }

    private static byte[] hmac(byte[] key, String text) throws GeneralSecurityException {
        Mac mac = Mac.getInstance("HmacSHA256");
        mac.init(new SecretKeySpec(key, "HmacSHA256"));
        return mac.doFinal(text.getBytes(StandardCharsets.UTF_8));
    }

    private record Token(String value, long signed, long lifetimeMs) implements OAuthBearerToken {
        @Override
        public Set<String> scope() {
            return Set.of();
        }

        @Override
        public String principalName() {
            return "alice";
        }

        @Override
        public Long startTimeMs() {
            return signed;
        }
    }
}
