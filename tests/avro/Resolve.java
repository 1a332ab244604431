import java.io.BufferedReader;
import java.io.ByteArrayOutputStream;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.util.HexFormat;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import org.apache.avro.NameValidator;
import org.apache.avro.Schema;
import org.apache.avro.SchemaNormalization;
import org.apache.avro.generic.GenericDatumReader;
import org.apache.avro.generic.GenericDatumWriter;
import org.apache.avro.io.BinaryDecoder;
import org.apache.avro.io.DecoderFactory;
import org.apache.avro.io.EncoderFactory;

/**
 * What Avro's own library makes of data that one schema wrote and another one reads.
 *
 * <p>Reads a JSON object a line from standard input: `writer` and `reader`, schemas as text, and `datums`, Avro in
 * hexadecimal. Answers each with a line: `rows`, one for each datum, which is what was read, as the reader schema
 * writes it (`hex`), or `error`; or an `error` for all. Without `reader`, the answer has `canonical` and
 * `fingerprint` of the schema.
 */
public final class Resolve {
    private static final ObjectMapper JSON = new ObjectMapper();

    public static void main(String[] arguments) throws Exception {
        BufferedReader in = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        PrintStream out = new PrintStream(System.out, false, StandardCharsets.UTF_8);
        for (String line = in.readLine(); line != null; line = in.readLine()) {
            JsonNode task = JSON.readTree(line);
            ObjectNode answer = JSON.createObjectNode();
            try {
                if (task.has("reader")) {
                    resolve(task, answer);
                } else {
                    Schema schema = parse(task.get("writer").asText());
                    answer.put("canonical", SchemaNormalization.toParsingForm(schema));
                    byte[] print = SchemaNormalization.parsingFingerprint("CRC-64-AVRO", schema);
                    answer.put("fingerprint", HexFormat.of().formatHex(print));
                }
            } catch (Exception | StackOverflowError error) {
                answer.put("error", String.valueOf(error));
            }
            out.println(JSON.writeValueAsString(answer));
        }
        out.flush();
    }

    private static void resolve(JsonNode task, ObjectNode answer) throws Exception {
        Schema writer = parse(task.get("writer").asText());
        Schema reader = parse(task.get("reader").asText());
        GenericDatumReader<Object> datums = new GenericDatumReader<>(writer, reader);
        GenericDatumWriter<Object> again = new GenericDatumWriter<>(reader);
        ArrayNode rows = answer.putArray("rows");
        for (JsonNode datum : task.get("datums")) {
            ObjectNode row = rows.addObject();
            try {
                byte[] bytes = HexFormat.of().parseHex(datum.asText());
                BinaryDecoder decoder = DecoderFactory.get().binaryDecoder(bytes, null);
                Object value = datums.read(null, decoder);
                ByteArrayOutputStream written = new ByteArrayOutputStream();
                var encoder = EncoderFactory.get().binaryEncoder(written, null);
                again.write(value, encoder);
                encoder.flush();
                row.put("hex", HexFormat.of().formatHex(written.toByteArray()));
            } catch (Exception | StackOverflowError error) {
                row.put("error", String.valueOf(error));
            }
        }
    }

    private static Schema parse(String text) {
        return new Schema.Parser(NameValidator.UTF_VALIDATOR).setValidateDefaults(false).parse(text);
    }
}
