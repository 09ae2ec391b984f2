plugins {
    kotlin("jvm") version "2.2.0"
    id("org.flywaydb.flyway") version "11.8.0"
    application
}

group = "clinic"
description = "Waiting lists of a small clinic"

repositories { mavenCentral() }

dependencies {
    implementation(libs.http)
    implementation(libs.flyway.core)
    runtimeOnly(libs.postgres)
    testImplementation(kotlin("test"))
}

application { mainClass = "queue.ServerKt" }

kotlin { jvmToolchain(21) }

tasks.register<Copy>("dist") {
    from("src/main/dist", "docs")
    into(layout.buildDirectory.dir("dist"))
}
