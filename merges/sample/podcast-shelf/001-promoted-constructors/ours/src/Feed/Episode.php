<?php

declare(strict_types=1);

namespace Shelf\Feed;

/** One episode of a show. */
final class Episode
{
    public $title;
    public $seconds;
    public $guid;

    /** Feeds give titles with blanks at both ends. */
    private const BLANKS = " \t\n\r";

    public function __construct($title, $seconds, $guid = null)
    {
        $this->title = trim($title, self::BLANKS);
        $this->seconds = $seconds;
        $this->guid = $guid;
    }

    /** How long it is, for people. */
    public function length(): string
    {
        return gmdate($this->seconds < 3600 ? 'i:s' : 'G:i:s', $this->seconds);
    }

    public static function of($title, $seconds = 0)
    {
        $title = trim($title, self::BLANKS);

        return new self($title, $seconds);
    }

    public function key(): string
    {
        return $this->guid ?? md5($this->title);
    }
}
