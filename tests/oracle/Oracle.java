import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import org.apache.flink.configuration.Configuration;
import org.apache.flink.table.api.EnvironmentSettings;
import org.apache.flink.table.api.TableEnvironment;

/** Flink as an oracle; {@code scripts/oracle} says what its arguments are. */
public final class Oracle {
    private Oracle() {}

    public static void main(String[] arguments) throws Exception {
        List<String> rest = Arrays.asList(arguments).subList(1, arguments.length);
        switch (arguments[0]) {
            case "functions" -> Arrays.stream(environment(false).listFunctions())
                .sorted()
                .forEach(System.out::println);
            case "golden" -> {
                Path answers = Path.of(rest.get(0));
                for (String name : rest.subList(1, rest.size())) {
                    Path file = Path.of(name);
                    Path scratch = Files.createTempDirectory(answers, "rows");
                    String text = new FunctionGolden(file, scratch).answered();
                    Files.writeString(answers.resolve(file.getFileName()), text);
                }
            }
            case "bench" -> Bench.run(rest);
            case "queries" -> queries(rest);
            case "run" -> Program.run(rest);
            default -> throw new IllegalArgumentException(arguments[0]);
        }
        System.exit(0);
    }

    /** Puts Flink's outputs into goldens of queries; what Flink refuses gets none. */
    private static void queries(List<String> files) throws Exception {
        int refused = 0;
        for (int done = 0; done < files.size(); done++) {
            Path file = Path.of(files.get(done));
            Path scratch = Files.createTempDirectory("rows");
            try {
                Files.writeString(file, new QueryGolden(file, scratch).answered());
            } catch (Exception failure) {
                refused++;
                Throwable root = failure;
                while (root.getCause() != null) {
                    root = root.getCause();
                }
                System.err.println(file.getFileName() + ": " + root);
            }
            if ((done + 1) % 50 == 0) {
                System.err.println("oracle: " + (done + 1) + " of " + files.size() + " queries");
            }
        }
        System.err.println("oracle: Flink refused " + refused + " of " + files.size() + " queries");
    }

    /** An environment whose results do not depend on where and when it runs. */
    static TableEnvironment environment(boolean batch) {
        Configuration settings = new Configuration();
        settings.setString("parallelism.default", "1");
        settings.setString("table.local-time-zone", "UTC");
        settings.setString("rest.port", "0");
        // Without a period the watermark follows every row.
        settings.setString("pipeline.auto-watermark-interval", "0 ms");
        settings.setString("taskmanager.memory.managed.size", "128m");
        settings.setString("taskmanager.memory.network.min", "32m");
        settings.setString("taskmanager.memory.network.max", "32m");
        EnvironmentSettings.Builder mode = EnvironmentSettings.newInstance();
        mode = batch ? mode.inBatchMode() : mode.inStreamingMode();
        return TableEnvironment.create(mode.withConfiguration(settings).build());
    }
}
