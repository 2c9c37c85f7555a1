import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.regex.Pattern;

/**
 * A golden of a query, whose outputs are what Flink comes to. {@code tests/sql/golden.rs} says what
 * its blocks are; here markers are left out, and the watermark follows every row.
 */
final class QueryGolden {
    private static final Pattern TABLE = Pattern.compile("CREATE TABLE (\\w+)");

    private static final Pattern ROW = Pattern.compile("([-+][IUD] )?\\{.*");

    private final List<String> statement = new ArrayList<>();
    private final Map<String, List<String>> inputs = new TreeMap<>();
    /** All lines but those of the outputs. */
    private final List<String> kept = new ArrayList<>();
    private final Path scratch;

    QueryGolden(Path file, Path scratch) throws IOException {
        this.scratch = scratch;
        List<String> block = null;
        for (String line : Files.readAllLines(file)) {
            if (line.equals("statement")) {
                block = statement;
            } else if (line.startsWith("input ")) {
                block = new ArrayList<>();
                inputs.put(line.substring("input ".length()), block);
            } else if (line.startsWith("output ")) {
                break;
            } else if (block == statement || (block != null && ROW.matcher(line).matches())) {
                block.add(line);
            }
            kept.add(line);
        }
    }

    /** The text of the file with Flink's outputs. */
    String answered() throws Exception {
        Map<String, String> files = new TreeMap<>();
        for (var input : inputs.entrySet()) {
            boolean changes = input.getValue().stream().anyMatch(line -> !line.startsWith("{"));
            String ending = changes ? Program.CHANGES : ".jsonl";
            Path rows = scratch.resolve(input.getKey() + ending);
            Files.write(rows, changes ? changes(input.getValue()) : input.getValue());
            files.put(input.getKey(), rows.toString());
        }
        Outputs outputs = new Outputs();
        TABLE.matcher(String.join("\n", statement)).results().map(found -> found.group(1))
            .filter(table -> !inputs.containsKey(table))
            .forEach(table -> outputs.tables.put(table, new TreeMap<>()));
        RowSink.taker = outputs::take;
        Program.run(false, String.join("\n", statement), files);
        StringBuilder text = new StringBuilder(String.join("\n", kept).stripTrailing()).append('\n');
        outputs.tables.forEach((table, rows) -> {
            text.append("\noutput ").append(table).append('\n');
            rows.forEach((row, times) -> text.append((row + '\n').repeat(times)));
        });
        return text.toString();
    }

    /** Rows with kinds as records of Debezium: each adds a row or takes one back. */
    private static List<String> changes(List<String> lines) {
        List<String> records = new ArrayList<>();
        for (String line : lines) {
            String row = line.substring(line.indexOf('{'));
            records.add(line.startsWith("-")
                ? "{\"before\":" + row + ",\"after\":null,\"op\":\"d\"}"
                : "{\"before\":null,\"after\":" + row + ",\"op\":\"c\"}");
        }
        return records;
    }

    /** What the sinks hold in the end: how often each row is there. */
    private static final class Outputs {
        final Map<String, Map<String, Integer>> tables = new TreeMap<>();

        synchronized void take(String table, String kind, String row) {
            Map<String, Integer> rows = tables.computeIfAbsent(table, name -> new TreeMap<>());
            rows.merge(row, kind.startsWith("+") ? 1 : -1, Integer::sum);
            rows.remove(row, 0);
        }
    }
}
