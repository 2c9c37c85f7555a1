import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.apache.flink.table.api.TableEnvironment;
import org.apache.flink.table.api.TableResult;
import org.apache.flink.table.catalog.Catalog;
import org.apache.flink.table.catalog.CatalogBaseTable;
import org.apache.flink.table.catalog.CatalogTable;
import org.apache.flink.table.catalog.ObjectPath;
import org.apache.flink.types.Row;
import org.apache.flink.util.CloseableIterator;

/** Whole statements over tables whose rows are files. */
final class Program {
    /** How the names of files end that hold changes of rows, in Flink's format `debezium-json`. */
    static final String CHANGES = ".changes";

    private static final Pattern SETTING = Pattern.compile("(?is)SET\\s+'([^']*)'\\s*=\\s*'([^']*)'");

    private Program() {}

    /** Runs a program and prints every row that comes out of it. */
    static void run(List<String> arguments) throws Exception {
        boolean batch = arguments.get(0).equals("--batch");
        List<String> rest = batch ? arguments.subList(1, arguments.size()) : arguments;
        Map<String, String> rows = new HashMap<>();
        for (String given : rest.subList(1, rest.size())) {
            String[] parts = given.split("=", 2);
            rows.put(parts[0], Path.of(parts[1]).toAbsolutePath().toString());
        }
        run(batch, Files.readString(Path.of(rest.get(0))), rows);
    }

    /** Runs the statements of a text over tables that are given the rows of files. */
    static void run(boolean batch, String text, Map<String, String> rows) throws Exception {
        TableEnvironment flink = Oracle.environment(batch);
        for (String statement : statements(text)) {
            Matcher setting = SETTING.matcher(statement);
            if (setting.matches()) {
                flink.getConfig().set(setting.group(1), setting.group(2));
                continue;
            }
            TableResult result = flink.executeSql(statement);
            if (statement.matches("(?is)(SELECT|WITH|VALUES)\\b.*")) {
                print(result);
            } else {
                result.await();
                connect(flink, rows);
            }
        }
    }

    private static void print(TableResult result) throws Exception {
        try (CloseableIterator<Row> rows = result.collect()) {
            while (rows.hasNext()) {
                RowSink.print("-", rows.next());
            }
        }
    }

    /** Gives the tables their rows, and makes all others sinks. */
    private static void connect(TableEnvironment flink, Map<String, String> rows) throws Exception {
        Catalog catalog = flink.getCatalog(flink.getCurrentCatalog()).orElseThrow();
        String database = flink.getCurrentDatabase();
        for (String name : catalog.listTables(database)) {
            ObjectPath path = new ObjectPath(database, name);
            CatalogBaseTable table = catalog.getTable(path);
            if (!(table instanceof CatalogTable)) {
                continue;
            }
            String file = rows.get(name);
            Map<String, String> options = file == null
                ? Map.of("connector", RowSink.CONNECTOR)
                : Map.of("connector", "filesystem", "path", "file://" + file,
                    "format", file.endsWith(CHANGES) ? "debezium-json" : "json");
            catalog.alterTable(path, ((CatalogTable) table).copy(options), false);
        }
    }

    /** The statements of a text, without the semicolons; a statement set is one. */
    static List<String> statements(String text) {
        List<String> found = new ArrayList<>();
        StringBuilder statement = new StringBuilder();
        char quote = 0;
        for (int at = 0; at < text.length(); at++) {
            char letter = text.charAt(at);
            if (quote == 0 && text.startsWith("--", at)) {
                int end = text.indexOf('\n', at);
                at = end < 0 ? text.length() : end;
                statement.append('\n');
                continue;
            }
            if (quote != 0) {
                quote = letter == quote ? 0 : quote;
            } else if (letter == '\'' || letter == '`') {
                quote = letter;
            }
            if (letter == ';' && quote == 0 && !isOpenSet(statement.toString())) {
                add(statement, found);
            } else {
                statement.append(letter);
            }
        }
        add(statement, found);
        return found;
    }

    private static boolean isOpenSet(String statement) {
        String trimmed = statement.strip();
        return trimmed.matches("(?is)EXECUTE\\s+STATEMENT\\s+SET\\b.*")
            && !trimmed.matches("(?is).*\\bEND");
    }

    private static void add(StringBuilder statement, List<String> found) {
        if (!statement.toString().isBlank()) {
            found.add(statement.toString().strip());
        }
        statement.setLength(0);
    }
}
