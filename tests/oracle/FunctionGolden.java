import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.apache.flink.table.api.TableEnvironment;
import org.apache.flink.types.Row;
import org.apache.flink.util.CloseableIterator;

/**
 * A file of expressions and what they come to.
 *
 * <p>A line is one of:
 *
 * <ul>
 *   <li>{@code # a comment}, or nothing;
 *   <li>{@code set key = value}: a setting for the expressions below;
 *   <li>{@code table a INT, s STRING}: the columns that the expressions below may name, until the
 *       next such line. Its rows follow, a JSON object each;
 *   <li>{@code EXPRESSION => TYPE: VALUE, …}, a JSON value for each row, or {@code EXPRESSION =>
 *       error} if Flink refuses it or fails. CHAR and VARCHAR are called STRING, BINARY and
 *       VARBINARY are called BYTES, and NOT NULL is left out. Without an answer one is written;
 *   <li>two blanks and {@code differs: ANSWER | WHY}: what Thalweg comes to instead of the answer
 *       above. It stays as it is.
 * </ul>
 */
final class FunctionGolden {
    private static final String ARROW = " => ";

    /** Expressions that one job evaluates: a class of Java has room for so many. */
    private static final int JOB_EXPRESSIONS = 40;

    private final List<String> lines;
    private final String[] answers;
    private final Path scratch;
    private TableEnvironment flink = Oracle.environment(false);
    private int tables;

    FunctionGolden(Path file, Path scratch) throws IOException {
        this.lines = Files.readAllLines(file);
        this.answers = new String[lines.size()];
        this.scratch = scratch;
    }

    /** The text of the file with Flink's answers. */
    String answered() throws IOException {
        List<Integer> group = new ArrayList<>();
        String table = createTable("n INT", List.of("{\"n\":1}"));
        for (int at = 0; at < lines.size(); at++) {
            String line = lines.get(at);
            boolean isTable = line.startsWith("table ");
            if (isTable || line.startsWith("set ")) {
                answer(table, group);
                group.clear();
            }
            if (isTable) {
                List<String> rows = new ArrayList<>();
                while (at + 1 < lines.size() && lines.get(at + 1).startsWith("{")) {
                    rows.add(lines.get(++at));
                }
                table = createTable(line.substring("table ".length()), rows);
            } else if (line.startsWith("set ")) {
                String[] setting = line.substring("set ".length()).split(" = ", 2);
                flink.getConfig().set(setting[0], setting[1]);
            } else if (!line.isBlank() && !line.startsWith("#") && !line.startsWith("  ")) {
                group.add(at);
            }
        }
        answer(table, group);
        StringBuilder text = new StringBuilder();
        for (int at = 0; at < lines.size(); at++) {
            String answer = answers[at];
            text.append(answer == null ? lines.get(at) : expression(at) + ARROW + answer);
            text.append('\n');
        }
        return text.toString();
    }

    private String expression(int at) {
        return lines.get(at).split(ARROW, 2)[0];
    }

    private String createTable(String columns, List<String> rows) throws IOException {
        String name = "t" + tables++;
        Path file = scratch.resolve(name + ".jsonl");
        Files.write(file, rows);
        flink.executeSql("CREATE TABLE " + name + " (" + columns + ") WITH ('connector' = "
            + "'filesystem', 'format' = 'json', 'path' = 'file://" + file.toAbsolutePath() + "')");
        return name;
    }

    /** Answers the expressions of these lines over a table. */
    private void answer(String table, List<Integer> group) {
        List<Integer> sound = new ArrayList<>();
        for (int at : group) {
            try {
                answers[at] = typeOf(expression(at), table) + ": ";
                sound.add(at);
            } catch (Exception refused) {
                fail(at, refused);
            }
        }
        for (int first = 0; first < sound.size(); first += JOB_EXPRESSIONS) {
            int end = Math.min(sound.size(), first + JOB_EXPRESSIONS);
            evaluate(table, sound.subList(first, end));
        }
    }

    private void fail(int at, Exception failure) {
        answers[at] = "error";
        if (System.getenv("ORACLE_VERBOSE") != null) {
            Throwable root = failure;
            while (root.getCause() != null) {
                root = root.getCause();
            }
            System.err.println(expression(at) + "\n    " + root);
        }
    }

    private String typeOf(String expression, String table) {
        var schema = flink.sqlQuery("SELECT " + expression + " FROM " + table).getResolvedSchema();
        String type = schema.getColumnDataTypes().get(0).getLogicalType().asSummaryString();
        return type.replaceAll(" NOT NULL", "")
            .replaceAll("(VAR)?CHAR\\(\\d+\\)", "STRING")
            .replaceAll("(VAR)?BINARY\\(\\d+\\)", "BYTES")
            .replaceAll("`([A-Za-z0-9_]+)`", "$1");
    }

    /** Evaluates expressions together; if that fails, in halves, until those are alone that fail. */
    private void evaluate(String table, List<Integer> group) {
        StringBuilder query = new StringBuilder("SELECT ");
        for (int place = 0; place < group.size(); place++) {
            query.append(place == 0 ? "" : ", ");
            query.append(expression(group.get(place))).append(" AS c").append(place);
        }
        List<StringBuilder> values = new ArrayList<>();
        group.forEach(at -> values.add(new StringBuilder()));
        var result = query.append(" FROM ").append(table).toString();
        try (CloseableIterator<Row> rows = flink.executeSql(result).collect()) {
            while (rows.hasNext()) {
                Row row = rows.next();
                for (int place = 0; place < values.size(); place++) {
                    StringBuilder text = values.get(place);
                    text.append(text.length() == 0 ? "" : ", ");
                    Json.write(row.getField(place), text);
                }
            }
        } catch (Exception failure) {
            if (group.size() == 1) {
                fail(group.get(0), failure);
                return;
            }
            evaluate(table, group.subList(0, group.size() / 2));
            evaluate(table, group.subList(group.size() / 2, group.size()));
            return;
        }
        for (int place = 0; place < group.size(); place++) {
            answers[group.get(place)] += values.get(place);
        }
    }
}
