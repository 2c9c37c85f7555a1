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
 * its blocks are; here the inputs are rows without kinds, and markers are left out.
 */
final class QueryGolden {
    private static final Pattern TABLE = Pattern.compile("CREATE TABLE (\\w+)");

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
            } else if (block == statement || (block != null && line.startsWith("{"))) {
                block.add(line);
            }
            kept.add(line);
        }
    }

    /** The text of the file with Flink's outputs. */
    String answered() throws Exception {
        Map<String, String> files = new TreeMap<>();
        for (var input : inputs.entrySet()) {
            Path rows = scratch.resolve(input.getKey() + ".jsonl");
            Files.write(rows, input.getValue());
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
