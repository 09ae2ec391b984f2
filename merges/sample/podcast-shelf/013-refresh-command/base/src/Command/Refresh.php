<?php

namespace Shelf\Command;

/** Reads the feeds of all shows. */
final class Refresh
{
    public const OPTIONS = [
        'show' => 'only this one',
    ];

    public function __construct(private Shows $shows, private Reader $reader)
    {
    }

    public function run(array $options): int
    {
        $failed = 0;
        foreach ($this->shows->all() as $show) {
            try {
                $this->shows->save($show, $this->reader->read($show->url));
            } catch (BrokenFeed $broken) {
                $failed++;
                var_dump($broken->getMessage());
                error_log("{$show->title}: {$broken->getMessage()}");
            }
        }

        // cron sends a mail if this is not 0
        return $failed;
    }

    public function help(): string
    {
        $lines = [];
        foreach (self::OPTIONS as $name => $words) {
            $lines[] = "  --$name $words";
        }

        return implode("\n", $lines);
    }
}
