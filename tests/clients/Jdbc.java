// pgjdbc as Debian has it: server-side statements, batches, cursors by fetch size, COPY, metadata, savepoints, errors.

import java.io.StringReader;
import java.io.StringWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.sql.Connection;
import java.sql.DatabaseMetaData;
import java.sql.DriverManager;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Savepoint;
import java.sql.Statement;
import java.util.Base64;
import java.util.Properties;
import org.postgresql.PGConnection;
import org.postgresql.util.PSQLException;

class Jdbc {
    public static void main(String[] arguments) throws Exception {
        var environment = System.getenv();
        var url = "jdbc:postgresql://" + environment.get("PGHOST") + ":" + environment.get("PGPORT") + "/"
            + environment.get("PGDATABASE");
        var properties = new Properties();
        properties.setProperty("user", environment.get("PGUSER"));
        var certificate = environment.get("PGSSLCERT");
        if (new java.io.File(certificate).exists()) {
            properties.setProperty("sslcert", certificate);
            properties.setProperty("sslkey", inBinary(environment.get("PGSSLKEY")));
        } else {
            properties.setProperty("password", environment.get("PGPASSWORD"));
        }
        properties.setProperty("sslmode", environment.get("PGSSLMODE"));
        properties.setProperty("sslrootcert", environment.get("PGSSLROOTCERT"));
        properties.setProperty("ApplicationName", "jdbc");
        properties.setProperty("prepareThreshold", "2");
        try (var connection = DriverManager.getConnection(url, properties)) {
            work(connection);
            metadata(connection);
        }
    }

    /** It reads the bytes of PKCS #8, without the letters around them that everybody else's keys have. */
    static String inBinary(String key) throws Exception {
        var letters = Files.readString(Path.of(key)).replaceAll("-----[A-Z ]+-----|\\s", "");
        var binary = Path.of(key + ".pk8");
        Files.write(binary, Base64.getDecoder().decode(letters));
        return binary.toString();
    }

    static void work(Connection connection) throws Exception {
        System.out.println(connection.isValid(5) + " " + connection.getTransactionIsolation());
        connection.setAutoCommit(false);
        connection.setTransactionIsolation(Connection.TRANSACTION_REPEATABLE_READ);
        try (PreparedStatement insert = connection.prepareStatement(
                "insert into orders (id, customer_id, status, total) values (?, ?, ?, ?)")) {
            for (int n = 0; n < 300; n++) {
                insert.setInt(1, 6000 + n);
                insert.setInt(2, 1);
                insert.setString(3, "new");
                insert.setInt(4, n);
                insert.addBatch();
            }
            System.out.println(insert.executeBatch().length);
        }
        try (PreparedStatement select = connection.prepareStatement("select status, total from orders where id = ?")) {
            for (int n = 0; n < 10; n++) {
                select.setInt(1, 6000 + n);
                ResultSet rows = select.executeQuery();
                rows.next();
                System.out.println(rows.getString(1) + " " + rows.getBigDecimal("total"));
            }
        }
        try (Statement all = connection.createStatement()) {
            all.setFetchSize(50);
            ResultSet rows = all.executeQuery("select id from orders order by id");
            int count = 0;
            while (rows.next()) {
                count++;
            }
            System.out.println(count);
        }
        Savepoint savepoint = connection.setSavepoint();
        for (var text : new String[] {"insert into orders values (1, 1, 'twice', 1)", "selekt"}) {
            try (Statement statement = connection.createStatement()) {
                statement.execute(text);
            } catch (PSQLException error) {
                // What it was about; a refusal's hint has a number of its own.
                var told = error.getServerErrorMessage();
                System.out.println(told.getSQLState() + " " + told.getMessage() + " " + told.getPosition());
                connection.rollback(savepoint);
            }
        }
        var copy = connection.unwrap(PGConnection.class).getCopyAPI();
        System.out.println(copy.copyIn("copy orders from stdin", new StringReader("7000\t1\tcopied\t1\n7001\t2\tcopied\t2\n")));
        var copied = new StringWriter();
        copy.copyOut("copy (select * from orders where id >= 7000 order by id) to stdout", copied);
        System.out.println(copied);
        try (Statement returning = connection.createStatement()) {
            returning.executeUpdate("update orders set total = 3 where id = 7000", new String[] {"id"});
            ResultSet keys = returning.getGeneratedKeys();
            keys.next();
            System.out.println(keys.getInt(1));
        }
        connection.rollback();
        connection.setAutoCommit(true);
    }

    static void metadata(Connection connection) throws Exception {
        DatabaseMetaData metadata = connection.getMetaData();
        System.out.println(metadata.getDatabaseProductVersion() + " " + metadata.getMaxColumnNameLength());
        print(metadata.getSchemas());
        print(metadata.getTables(null, "public", "%", new String[] {"TABLE", "VIEW", "PARTITIONED TABLE"}));
        print(metadata.getColumns(null, "public", "orders", "%"));
        print(metadata.getPrimaryKeys(null, "public", "orders"));
        print(metadata.getImportedKeys(null, "public", "orders"));
        print(metadata.getExportedKeys(null, "public", "customers"));
        print(metadata.getIndexInfo(null, "public", "orders", false, false));
        print(metadata.getFunctions(null, "public", "%"));
        print(metadata.getProcedureColumns(null, "public", "double", "%"));
        print(metadata.getTablePrivileges(null, "public", "orders"));
        print(metadata.getColumnPrivileges(null, "public", "orders", "id"));
        print(metadata.getTypeInfo());
        print(metadata.getTableTypes());
        print(metadata.getBestRowIdentifier(null, "public", "orders", DatabaseMetaData.bestRowSession, false));
        System.out.println(metadata.getSQLKeywords().length() > 100);
    }

    static void print(ResultSet rows) throws SQLException {
        int columns = rows.getMetaData().getColumnCount();
        while (rows.next()) {
            var line = new StringBuilder();
            for (int column = 1; column <= columns; column++) {
                // The two databases differ in their names and in the numbers of their objects.
                var name = rows.getMetaData().getColumnName(column).toUpperCase();
                if (!name.endsWith("_CAT") && !name.equals("SPECIFIC_NAME")) {
                    line.append(name).append('=').append(rows.getString(column)).append(' ');
                }
            }
            System.out.println(line);
        }
    }
}
