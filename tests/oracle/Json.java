import java.math.BigDecimal;
import java.time.Instant;
import java.time.LocalDate;
import java.time.LocalDateTime;
import java.time.LocalTime;
import java.time.ZoneOffset;
import java.time.format.DateTimeFormatter;
import java.time.format.DateTimeFormatterBuilder;
import java.time.temporal.ChronoField;
import java.util.Base64;
import java.util.Map;
import java.util.Set;
import org.apache.flink.types.Row;

/** Values of rows as JSON, in the form that Flink's format {@code json} gives them. */
final class Json {
    private static final DateTimeFormatter TIME = new DateTimeFormatterBuilder()
        .appendPattern("HH:mm:ss")
        .appendFraction(ChronoField.NANO_OF_SECOND, 0, 9, true)
        .toFormatter();
    private static final DateTimeFormatter TIMESTAMP = new DateTimeFormatterBuilder()
        .appendPattern("yyyy-MM-dd ")
        .append(TIME)
        .toFormatter();

    private Json() {}

    /** Appends a value; numbers that JSON has not are texts. */
    static void write(Object value, StringBuilder out) {
        if (value == null || value instanceof Boolean) {
            out.append(value);
        } else if (value instanceof Double || value instanceof Float) {
            boolean isFinite = Double.isFinite(((Number) value).doubleValue());
            out.append(isFinite ? value.toString() : "\"" + value + "\"");
        } else if (value instanceof BigDecimal) {
            out.append(((BigDecimal) value).toPlainString());
        } else if (value instanceof Number) {
            out.append(value);
        } else if (value instanceof byte[]) {
            quote(Base64.getEncoder().encodeToString((byte[]) value), out);
        } else if (value instanceof LocalDate) {
            quote(value.toString(), out);
        } else if (value instanceof LocalTime) {
            quote(TIME.format((LocalTime) value), out);
        } else if (value instanceof LocalDateTime) {
            quote(TIMESTAMP.format((LocalDateTime) value), out);
        } else if (value instanceof Instant) {
            quote(TIMESTAMP.format(((Instant) value).atOffset(ZoneOffset.UTC)) + "Z", out);
        } else if (value instanceof Row) {
            writeRow((Row) value, out);
        } else if (value instanceof Map) {
            writeMap((Map<?, ?>) value, out);
        } else if (value.getClass().isArray()) {
            writeArray(value, out);
        } else {
            quote(value.toString(), out);
        }
    }

    static void writeRow(Row row, StringBuilder out) {
        Set<String> names = row.getFieldNames(true);
        out.append('{');
        String separator = "";
        int place = 0;
        for (String name : names == null ? Set.<String>of() : names) {
            out.append(separator);
            quote(name, out);
            write(row.getField(name), out.append(':'));
            separator = ",";
        }
        for (; names == null && place < row.getArity(); place++) {
            out.append(separator);
            quote("f" + place, out);
            write(row.getField(place), out.append(':'));
            separator = ",";
        }
        out.append('}');
    }

    private static void writeMap(Map<?, ?> map, StringBuilder out) {
        out.append('{');
        String separator = "";
        // Flink's own order changes from run to run.
        var entries = new java.util.TreeMap<String, Object>();
        map.forEach((key, value) -> entries.put(String.valueOf(key), value));
        for (var entry : entries.entrySet()) {
            out.append(separator);
            quote(entry.getKey(), out);
            write(entry.getValue(), out.append(':'));
            separator = ",";
        }
        out.append('}');
    }

    private static void writeArray(Object array, StringBuilder out) {
        out.append('[');
        for (int place = 0; place < java.lang.reflect.Array.getLength(array); place++) {
            write(java.lang.reflect.Array.get(array, place), place == 0 ? out : out.append(','));
        }
        out.append(']');
    }

    static void quote(String text, StringBuilder out) {
        out.append('"');
        for (char letter : text.toCharArray()) {
            if (letter == '"' || letter == '\\') {
                out.append('\\').append(letter);
            } else if (letter < 0x20 || letter == 0x7f || Character.isSurrogate(letter)) {
                out.append(String.format("\\u%04x", (int) letter));
            } else {
                out.append(letter);
            }
        }
        out.append('"');
    }
}
